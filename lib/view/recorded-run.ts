import { readRun, type RecordedRun } from '../run/run-files.js';

/**
 * The run of a folder that a person named.
 *
 * @param directory `output/{name}` or `model_output/{name}`
 * @throws Error in one sentence when the folder is no run's
 */
export async function openRecordedRun(directory: string): Promise<RecordedRun> {
  try {
    return await readRun(directory);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(`${directory} is not the folder of a run (output/NAME or model_output/NAME): ${reason}`, {
      cause: error,
    });
  }
}
