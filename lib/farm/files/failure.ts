/** Why a worker could not get a model's folder, so that it can tell what to do next. */
import {
  explainWriteError,
  isOfDisk,
  otherFolderBy,
  remedyOf,
  systemErrorOf,
} from '../../checkpoint/write-error.js';

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

/** How a worker's person chooses another folder. */
export const ELSEWHERE = otherFolderBy('XDG_CACHE_HOME');
const CODES_OF_FULL = ['ENOSPC', 'EDQUOT'];

/**
 * An error of the disk as a failure; any other as it is.
 * @param missingBytes what is still to be written
 */
export function explainDisk(error: unknown, folder: string, missingBytes: number): unknown {
  if (fetchProblemOf(error) !== undefined) return error;
  const cause = systemErrorOf(error);
  if (cause === undefined) return error;
  const needed = CODES_OF_FULL.includes(cause.code)
    ? `the files that are missing take ${formatMegabytes(missingBytes)}: `
    : '';
  const remedy = needed + remedyOf(cause.code, ELSEWHERE);
  const { message } = explainWriteError(cause, folder, remedy) as Error;
  return fetchFailure(isOfDisk(cause) ? 'disk' : 'forbidden', message, cause);
}

/** Whether a failure is that of a full disk, or of a full quota. */
export function isFull(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return fetchProblemOf(error) === 'disk' && CODES_OF_FULL.includes(code ?? '');
}

export function formatMegabytes(bytes: number): string {
  return bytes < 1e6 ? `${bytes} bytes` : `${Math.ceil(bytes / 1e6)} MB`;
}
