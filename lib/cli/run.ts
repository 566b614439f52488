import { relative } from 'node:path';
import { commandText } from '../command-text.js';
import { isDivergence } from '../experiment/diverged.js';
import { isPassing, type RunEvent } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';
import { writeReport } from '../view/report.js';
import { estimateRun } from '../view/run-estimate.js';
import { describeHeldOutChange, formatBeforeAfter } from './before-after.js';
import { endedBeforeStartBy } from './interrupt.js';
import { createDisplay } from './render.js';
import { terminalColumns } from './terminal.js';

/** What a run is shown with. */
export interface Shown {
  parameters: Parameters;
  /** Options without which the run cannot go on, or goes on otherwise: where a reward of a person's own comes from, the workers' queue. */
  again?: readonly string[];
  signal: AbortSignal;
}

/** Shows an experiment's events with live progress, then prints held-out figures before and after and writes the report. */
export async function run(
  experiment: AsyncGenerator<RunEvent>,
  { parameters, again = [], signal }: Shown,
): Promise<void> {
  const display = createDisplay(process.stdout, estimateRun(parameters));
  const events: RunEvent[] = [];
  let started: Extract<RunEvent, { type: 'started' }> | undefined;
  try {
    for await (const event of endedBeforeStartBy(signal, experiment)) {
      display.show(event);
      if (!isPassing(event)) events.push(event);
      if (event.type === 'started') started = event;
    }
  } catch (error) {
    display.stop();
    if (started) {
      const directory = relative(process.cwd(), started.modelDirectory);
      const command = isDivergence(error)
        ? `To begin anew with a smaller learning rate: ${commandText('run', '--config', directory, ...again, '--learning-rate', smallerRate(parameters))}`
        : `To go on: ${commandText('resume', directory, ...again)}`;
      process.stderr.write(`What is complete is kept. ${command}\n`);
    }
    throw error;
  } finally {
    display.stop();
  }
  process.stdout.write(
    `\n${formatBeforeAfter(events, parameters.reward, terminalColumns())}\n\n${describeHeldOutChange(events)}\n\n`,
  );
  const report = await writeReport(started!.outputDirectory);
  process.stdout.write(`report: ${relative(process.cwd(), report)}\n`);
}

/** A tenth, without the last digits that floating point adds. */
const smallerRate = ({ learningRate }: Parameters): string =>
  String(Number((learningRate / 10).toPrecision(3)));
