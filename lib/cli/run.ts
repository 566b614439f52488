import { relative } from 'node:path';
import type { RunEvent } from '../run/events.js';
import type { RewardName } from '../run/parameters.js';
import { writeReport } from '../view/report.js';
import { formatBeforeAfter } from './before-after.js';
import { endedBeforeStartBy } from './interrupt.js';
import { createDisplay } from './render.js';

/** Shows an experiment's events with live progress, then prints held-out figures before and after and writes the report. */
export async function run(
  experiment: AsyncGenerator<RunEvent>,
  reward: RewardName,
  signal: AbortSignal,
): Promise<void> {
  const display = createDisplay(process.stdout);
  const events: RunEvent[] = [];
  let started: Extract<RunEvent, { type: 'started' }> | undefined;
  try {
    for await (const event of endedBeforeStartBy(signal, experiment)) {
      display.show(event);
      if (event.type !== 'progress') events.push(event);
      if (event.type === 'started') started = event;
    }
  } catch (error) {
    display.stop();
    if (started) {
      const directory = relative(process.cwd(), started.modelDirectory);
      process.stderr.write(`What is complete is kept. To go on: speech-dpo resume ${directory}\n`);
    }
    throw error;
  } finally {
    display.stop();
  }
  process.stdout.write(`\n${formatBeforeAfter(events, reward)}\n\n`);
  const report = await writeReport(started!.outputDirectory);
  process.stdout.write(`report: ${relative(process.cwd(), report)}\n`);
}
