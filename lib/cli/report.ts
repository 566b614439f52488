import { relative } from 'node:path';
import { Command } from 'commander';
import { writeReport } from '../view/report.js';
import { endedBy } from './interrupt.js';
import { RUN_NAMES } from '../run/names.js';

/** `speech-dpo report`: the page of a run. */
export function reportCommand(signal: AbortSignal): Command {
  return new Command('report')
    .description('write report.html of a run again')
    .argument('<run>', RUN_NAMES)
    .option('--all-audio', 'put all sound into the page, even if the page then takes long to open', false)
    .action(async (run: string, { allAudio }: { allAudio: boolean }) => {
      const report = await endedBy(signal, writeReport(run, { allAudio }));
      process.stdout.write(`report: ${relative(process.cwd(), report)}\n`);
    });
}
