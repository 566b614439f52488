/** The discrete Fourier transform as the sum that defines it, for real signals of any length: real and imaginary parts in turn. */
export function directTransform(signal: Float64Array): number[] {
  const bins = Math.floor(signal.length / 2) + 1;
  return Array.from({ length: bins }, (_, k) => {
    let [re, im] = [0, 0];
    signal.forEach((value, n) => {
      const angle = (-2 * Math.PI * ((k * n) % signal.length)) / signal.length;
      re += value * Math.cos(angle);
      im += value * Math.sin(angle);
    });
    return [re, im];
  }).flat();
}
