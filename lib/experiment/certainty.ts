import type { PairedComparison } from '../run/paired-comparison.js';

/** Whether a change for the worse can be told from chance, and a part of a sentence that says so. */
export interface Certainty {
  isCertain: boolean;
  text: string;
}

/**
 * @param sign of changes for the worse
 * @param show a change in its unit
 */
export function certaintyOf(
  { n, interval }: PairedComparison,
  sign: 1 | -1,
  show: (value: number) => string,
): Certainty {
  if (!interval)
    return { isCertain: false, text: `${n} prompt${n === 1 ? '' : 's'} cannot tell it from chance` };
  const [low, high] = [sign * interval.low, sign * interval.high].sort((a, b) => a - b);
  const range = `95 % interval over ${n} prompts: ${show(low)} to ${show(high)}`;
  const isCertain = low > 0;
  return { isCertain, text: isCertain ? range : `${range}, so that it may be chance` };
}
