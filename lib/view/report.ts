import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { sentenceOf } from '../plain-error.js';
import { rewardLabelOf, readRun } from '../run/run-files.js';
import { audioSections } from './report/audio-section.js';
import { reportPage } from './report/page.js';
import { NO_LIMIT, PAGE_BUDGET } from './sound-budget.js';

/**
 * Writes a run's report.html into its output directory: summary, charts, players with spectrograms and parameters in
 * one self-contained file. A run that has not finished gets a report of what is there, which says what is missing.
 *
 * @param directory the run's `output/{name}`, or `model_output/{name}`
 * @param options.allAudio puts all sound into the page, whatever its size; default: as much as 24 MiB, the rest in files beside it
 * @returns the report's path
 * @throws Error in one sentence when the folder is no run's or the report cannot be written
 */
export async function writeReport(directory: string, options: { allAudio?: boolean } = {}): Promise<string> {
  const run = await readRun(directory);
  const { outputDirectory } = run.directories;
  const audio = await audioSections(outputDirectory, options.allAudio ? NO_LIMIT : PAGE_BUDGET).catch(
    (error: unknown) => ({
      problem: `There is no audio to listen to: ${sentenceOf(error)}`,
    }),
  );
  const path = join(outputDirectory, 'report.html');
  await writeFileAtomic(path, await reportPage({ run, rewardLabel: rewardLabelOf(run.record), audio }));
  return path;
}
