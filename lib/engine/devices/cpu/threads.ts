/** How many threads the engine computes with. */
import { availableParallelism } from 'node:os';

const VARIABLE = 'SPEECH_DPO_THREADS';
/** More than any machine's cores that this was made for; ONNX Runtime would start a million. */
const MOST = 256;

/**
 * Threads for one operator: SPEECH_DPO_THREADS, or else the machine's cores.
 *
 * @throws Error when the variable holds anything but a whole number from 1 to 256
 */
export function defaultThreads(): number {
  const asked = process.env[VARIABLE];
  if (asked === undefined || asked === '') return availableParallelism();
  const threads = /^\d+$/.test(asked) ? Number(asked) : NaN;
  if (isThreads(threads)) return threads;
  throw new Error(
    `the environment variable ${VARIABLE} must be a whole number of threads from 1 to ${MOST}; it is "${asked}"`,
  );
}

/** @throws Error in one sentence for what is no number of threads */
export function checkThreads(threads: number): void {
  if (!isThreads(threads))
    throw new Error(`a device computes with a whole number of threads from 1 to ${MOST}, not ${threads}`);
}

const isThreads = (threads: number): boolean =>
  Number.isSafeInteger(threads) && threads >= 1 && threads <= MOST;
