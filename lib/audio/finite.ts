import { allFinite } from '../finite.js';

/** Why a waveform with NaN or an infinity in it is refused; the recording is called "it". */
export const NOT_FINITE = 'it holds a sample that is not a finite number';

/**
 * Refuses a waveform with NaN or an infinity in it.
 *
 * @throws Error that says so, and not which recording it is
 */
export function requireFinite(samples: Float32Array): void {
  if (!allFinite(samples)) throw new Error(NOT_FINITE);
}
