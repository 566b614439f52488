import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { readRun, type RecordedRun } from '../experiment/run-files.js';
import { audioSections } from './report/audio-section.js';
import { reportPage } from './report/page.js';
import { rewardLabel } from './reward-label.js';

/**
 * Writes a run's report.html into its output directory: summary, charts, players with spectrograms and parameters in
 * one self-contained file. A run that has not finished gets a report of what is there, which says what is missing.
 *
 * @param directory the run's `output/{name}`, or `model_output/{name}`
 * @returns the report's path
 * @throws Error in one sentence when the folder is no run's or the report cannot be written
 */
export async function writeReport(directory: string): Promise<string> {
  const run = await openRun(directory);
  const { outputDirectory } = run.directories;
  const audio = await audioSections(outputDirectory).catch((error: Error) => ({
    problem: `There is no audio to listen to: ${error.message}`,
  }));
  const path = join(outputDirectory, 'report.html');
  await writeFileAtomic(
    path,
    await reportPage({ run, rewardLabel: rewardLabel(run.record.parameters), audio }),
  );
  return path;
}

async function openRun(directory: string): Promise<RecordedRun> {
  try {
    return await readRun(directory);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(`${directory} is not the folder of a run (output/NAME or model_output/NAME): ${reason}`, {
      cause: error,
    });
  }
}
