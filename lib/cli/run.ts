import { relative } from 'node:path';
import { isPassing, type RunEvent } from '../run/events.js';
import { writeReport } from '../view/report.js';
import { describeHeldOutChange, formatBeforeAfter } from './before-after.js';
import { endedBeforeStartBy } from './interrupt.js';
import { createDisplay } from './render.js';

/** What a run is shown with. */
export interface Shown {
  /** Its reward's name. */
  reward: string;
  /** Where a reward of a person's own comes from, for the command that goes on. */
  source?: string;
  signal: AbortSignal;
}

/** Shows an experiment's events with live progress, then prints held-out figures before and after and writes the report. */
export async function run(
  experiment: AsyncGenerator<RunEvent>,
  { reward, source, signal }: Shown,
): Promise<void> {
  const display = createDisplay(process.stdout);
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
      const again = source === undefined ? '' : ` --reward ${source}`;
      process.stderr.write(`What is complete is kept. To go on: speech-dpo resume ${directory}${again}\n`);
    }
    throw error;
  } finally {
    display.stop();
  }
  process.stdout.write(`\n${formatBeforeAfter(events, reward)}\n\n${describeHeldOutChange(events)}\n\n`);
  const report = await writeReport(started!.outputDirectory);
  process.stdout.write(`report: ${relative(process.cwd(), report)}\n`);
}
