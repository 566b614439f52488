/** Why a waveform with NaN or an infinity in it is refused; the recording is called "it". */
export const NOT_FINITE = 'it holds a sample that is not a finite number';

/** Whether a waveform is one that codes, scores and edits can be computed of. */
export function allFinite(samples: Float32Array): boolean {
  // An indexed loop: `every` and `for of` take six times as long.
  for (let i = 0; i < samples.length; i++) if (!Number.isFinite(samples[i])) return false;
  return true;
}

/**
 * Refuses a waveform with NaN or an infinity in it.
 *
 * @throws Error that says so, and not which recording it is
 */
export function requireFinite(samples: Float32Array): void {
  if (!allFinite(samples)) throw new Error(NOT_FINITE);
}
