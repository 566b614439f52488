/** Why a worker could not get a model's folder, so that it can tell what to do next. */
import { explainWriteError } from '../../checkpoint/atomic.js';

/**
 * - `disk`: this machine's disk cannot keep the files; the error's cause has the system's code, ENOSPC where the disk is full
 * - `forbidden`: files cannot be written where they are kept, however much room there is
 * - `unreachable`: the trainer's server does not answer, or there is none
 * - `withdrawn`: it answers, and does not offer the folder to this worker: the run has gone on or was started anew
 * - `other-content`: what it sends is not what the hash says
 */
export type FetchProblem = 'disk' | 'forbidden' | 'unreachable' | 'withdrawn' | 'other-content';

/** A plain Error: its sentence is for the person. */
export function fetchFailure(problem: FetchProblem, sentence: string, cause?: unknown): Error {
  return Object.assign(new Error(sentence, { cause }), { problem });
}

/** The problem of an error that `fetchFolder` threw; undefined for any other error. */
export function fetchProblemOf(error: unknown): FetchProblem | undefined {
  return error instanceof Error && 'problem' in error ? (error.problem as FetchProblem) : undefined;
}

const OTHER_FOLDER = 'name another folder with XDG_CACHE_HOME';
const REMEDY = `make room there, or ${OTHER_FOLDER}`;
const CODES_OF_DISK = ['ENOSPC', 'EDQUOT', 'EIO'];

/**
 * An error of the disk as a failure; any other as it is.
 * @param missingBytes what is still to be written
 */
export function explainDisk(error: unknown, folder: string, missingBytes: number): unknown {
  if (fetchProblemOf(error) !== undefined) return error;
  const cause = [error, (error as Error).cause].find(isOfSystem);
  if (cause === undefined) return error;
  const isOfDisk = CODES_OF_DISK.includes(cause.code);
  const needed = `the files that are missing take ${formatMegabytes(missingBytes)}`;
  const remedy = isOfDisk ? `${needed}: ${REMEDY}` : OTHER_FOLDER;
  const { message } = explainWriteError(cause, folder, remedy) as Error;
  return fetchFailure(isOfDisk ? 'disk' : 'forbidden', message, cause);
}

/** What `requireSpace` throws, as a failure. */
export function explainNoSpace({ message, cause }: Error): Error {
  return fetchFailure('disk', message.replace(/\.$/, `; ${REMEDY}.`), cause);
}

/** Whether a failure is that of a full disk, or of a full quota. */
export function isFull(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return fetchProblemOf(error) === 'disk' && ['ENOSPC', 'EDQUOT'].includes(code ?? '');
}

/** ENOSPC and the like; Node.js' own codes begin with ERR_. */
function isOfSystem(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && /^E[A-Z\d]+$/.test(String(error.code));
}

export function formatMegabytes(bytes: number): string {
  return bytes < 1e6 ? `${bytes} bytes` : `${Math.ceil(bytes / 1e6)} MB`;
}
