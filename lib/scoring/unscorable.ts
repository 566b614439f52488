/** What a scorer says of a sample that it cannot score, and what is no sample's fault. */
import { inspect } from 'node:util';
import { NOT_FINITE } from '../audio/finite.js';
import { canResample } from '../audio/resample.js';
import { LOWEST_RATE_HZ } from '../audio/wav-parts.js';
import { allFinite } from '../finite.js';
import { isPlainError } from '../plain-error.js';

/**
 * Thrown where the reason is the sample itself: it is too short, it is silent, nobody speaks in it. The sample is left out, with the
 * reason, and the others count. Whatever else a scorer throws is no sample's fault and stops the work, since going on with the other
 * samples would hide it.
 */
export class UnscorableSample extends Error {
  override name = 'UnscorableSample';
}

/** A scorer failed for a reason of its own: `cause` is what it threw, whose stack says where. */
export class ScorerFault extends Error {
  override name = 'ScorerFault';
}

/**
 * Makes the error that stops the work when a scorer fails. A plain Error, by which scorers say what they lack, stays one, with its first
 * cause; so does what is no Error, as only a person's own scorer throws. Anything else (a programming error) becomes a {@link ScorerFault}.
 *
 * @param what was being done: "pesq cannot score a.wav"
 */
export function scorerFailure(what: string, cause: unknown): Error {
  if (!(cause instanceof Error))
    return new Error(`${what}: ${typeof cause === 'string' ? cause : inspect(cause)}`, { cause });
  const message = `${what}: ${cause.message}`;
  // A full disk is told by the first cause, and a fault by what was thrown, however many sentences are put before it.
  const isTold = isPlainError(cause) || (cause as Error) instanceof ScorerFault;
  const { cause: first } = cause as Error;
  const options = { cause: isTold && first !== undefined ? first : cause };
  return isPlainError(cause) ? new Error(message, options) : new ScorerFault(message, options);
}

/**
 * What `score` gives, or the sample's own fault.
 *
 * @throws whatever else `score` throws
 */
export async function orUnscorable<T>(score: () => T | Promise<T>): Promise<T | UnscorableSample> {
  try {
    return await score();
  } catch (error) {
    if (error instanceof UnscorableSample) return error;
    throw error;
  }
}

/** @throws UnscorableSample for a sample rate, in Hz, that no recording of speech has, or that cannot be brought to the other */
export function checkRate(fromHz: number, toHz: number): void {
  if (fromHz < LOWEST_RATE_HZ)
    throw new UnscorableSample(
      `its sample rate is ${fromHz} Hz, and speech is scored from ${LOWEST_RATE_HZ} Hz on`,
    );
  if (!canResample(fromHz, toHz))
    throw new UnscorableSample(`its sample rate of ${fromHz} Hz cannot be changed to ${toHz} Hz`);
}

/** @throws UnscorableSample for samples that are not numbers */
export function checkFinite(samples: Float32Array): void {
  if (!allFinite(samples)) throw new UnscorableSample(NOT_FINITE);
}
