/** Root mean square of all samples, dB relative to full scale; -Infinity for digital silence, NaN for no samples. */
export function measureLevelDb(samples: Float32Array): number {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return 10 * Math.log10(sum / samples.length);
}
