import { mkdir, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { format } from 'date-fns/format';
import { explainWriteError } from '../checkpoint/write-error.js';
import { isFolder, makeFolder } from '../checkpoint/files.js';

/** Where a run writes: `{root}/model_output/{name}` (log, metrics, checkpoints) and `{root}/output/{name}` (data, audio, report). */
export interface RunDirectories {
  name: string;
  modelDirectory: string;
  outputDirectory: string;
}

export const MODEL_OUTPUT = 'model_output';
/** In a run's model directory: what was run, and how it ended. */
export const RUN_FILE = 'run.json';
export const OUTPUT = 'output';

/** Where in a run's model directory an iteration's checkpoint is: `iter_{k}/dpo_model`. */
export function checkpointFolder(iteration: number): string {
  return `iter_${iteration}/${CHECKPOINT}`;
}

/** That checkpoint's folder. */
export function checkpointIn(
  { modelDirectory }: Pick<RunDirectories, 'modelDirectory'>,
  iteration: number,
): string {
  return join(modelDirectory, checkpointFolder(iteration));
}

/** The name of a checkpoint's folder. */
export const CHECKPOINT = 'dpo_model';

/**
 * Makes both directories of a new run, named by the local time as MMDD-HHMM. A name that is taken in either place gets `-2`, `-3`, ...; the
 * directories are created exclusively, so two processes never share one.
 *
 * @param signal of a run that is stopped before it begins: it leaves none
 * @throws Error naming the folder that cannot be written; the signal's reason
 */
export async function createRunDirectories(
  root: string,
  now: Date,
  signal?: AbortSignal,
): Promise<RunDirectories> {
  signal?.throwIfAborted();
  const minute = format(now, 'MMdd-HHmm');
  for (let attempt = 1; ; attempt++) {
    const name = attempt === 1 ? minute : `${minute}-${attempt}`;
    const modelDirectory = resolve(root, MODEL_OUTPUT, name);
    const outputDirectory = resolve(root, OUTPUT, name);
    if (!(await createExclusively(modelDirectory))) continue;
    const created = await createExclusively(outputDirectory).catch(async (error: unknown) => {
      await rmdir(modelDirectory);
      throw error;
    });
    if (created) return { name, modelDirectory, outputDirectory };
    await rmdir(modelDirectory);
  }
}

/** The directories of an existing run, from either of them: `output/{name}` or `model_output/{name}`. */
export function findRunDirectories(directory: string): RunDirectories {
  const name = basename(resolve(directory));
  const root = dirname(dirname(resolve(directory)));
  return { name, modelDirectory: join(root, MODEL_OUTPUT, name), outputDirectory: join(root, OUTPUT, name) };
}

/** False when something of that name exists. */
async function createExclusively(directory: string): Promise<boolean> {
  try {
    await makeFolder(dirname(directory));
    await mkdir(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await isFolder(dirname(directory)))) return false;
    throw explainWriteError(error, dirname(directory));
  }
}
