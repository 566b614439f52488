/** A linear axis: data values to pixels. */
export interface Scale {
  min: number;
  max: number;
  toPixel(value: number): number;
}

export function linearScale(
  [min, max]: readonly [number, number],
  fromPixel: number,
  toPixel: number,
): Scale {
  const perUnit = (toPixel - fromPixel) / (max - min);
  return { min, max, toPixel: (value) => fromPixel + (value - min) * perUnit };
}

/**
 * The smallest range that holds all values, with a twentieth of room on both sides; around one value, or none, a range of one.
 *
 * @param fromZero keeps 0 as the lower end
 */
export function paddedRange(values: readonly number[], fromZero = false): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  const low = finite.reduce((least, value) => Math.min(least, value), fromZero ? 0 : Infinity);
  const high = finite.reduce((most, value) => Math.max(most, value), fromZero ? 0 : -Infinity);
  if (low === high) return fromZero && low === 0 ? [0, 1] : [low - 0.5, high + 0.5];
  const room = (high - low) / 20;
  return [fromZero && low === 0 ? 0 : low - room, high + room];
}

/** At most `count` round numbers (1, 2 or 5 times a power of ten apart) within a range, `step` apart where it is given. */
export function roundTicks([min, max]: readonly [number, number], count: number, step?: number): number[] {
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = step ?? power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
  const ticks: number[] = [];
  const first = Math.ceil(min / round - 1e-9) + 0;
  for (let i = first; i * round <= max + round * 1e-9; i++) ticks.push(i * round);
  return ticks;
}

/** Ticks' labels, all with the decimals that their distance needs. */
export function tickLabels(ticks: readonly number[], asPercent = false): string[] {
  const scaled = asPercent ? ticks.map((tick) => tick * 100) : ticks;
  const step = scaled.length > 1 ? Math.abs(scaled[1] - scaled[0]) : 1;
  const digits = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return scaled.map((tick) => {
    const text = Math.abs(tick).toLocaleString('en-US', {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    return (tick < 0 && /[1-9]/.test(text) ? '−' : '') + text + (asPercent ? '%' : '');
  });
}
