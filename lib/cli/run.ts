import { relative } from 'node:path';
import type { RunEvent } from '../experiment/events.js';
import { runExperiment } from '../experiment/experiment.js';
import type { Parameters } from '../experiment/parameters.js';
import { writeReport } from '../view/report.js';
import { formatBeforeAfter } from './before-after.js';
import { createDisplay } from './render.js';

/** Runs an experiment with live progress, then prints held-out figures before and after and writes the report. */
export async function run(parameters: Parameters, root: string, signal: AbortSignal): Promise<void> {
  const display = createDisplay(process.stdout);
  const events: RunEvent[] = [];
  let outputDirectory = '';
  try {
    for await (const event of runExperiment(parameters, { root, signal })) {
      display.show(event);
      if (event.type !== 'progress') events.push(event);
      if (event.type === 'started') ({ outputDirectory } = event);
    }
  } finally {
    display.stop();
  }
  process.stdout.write(`\n${formatBeforeAfter(events, parameters.reward)}\n\n`);
  const report = await writeReport(outputDirectory);
  process.stdout.write(`report: ${relative(process.cwd(), report)}\n`);
}
