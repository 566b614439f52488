import { bootstrapMean } from '../../run/bootstrap.js';
import { FEWEST_PROMPTS } from '../../run/paired-comparison.js';

/**
 * The 95 % interval of the mean over prompts (see `bootstrapMean`) at every point of a curve.
 *
 * @param center the curve, which the band goes around: a mean over samples, in which prompts with fewer scored samples weigh less
 * @returns nothing where there is no evaluation, or one has fewer than 5 prompts with a reward
 */
export function meanBand(
  center: readonly number[],
  evaluations: readonly { promptMeans: readonly (number | null)[] }[],
): { low?: number[]; high?: number[] } {
  const means = evaluations.map(({ promptMeans }) => promptMeans.filter((mean) => mean !== null));
  if (means.length === 0 || means.some(({ length }) => length < FEWEST_PROMPTS)) return {};
  const intervals = means.map((values) => bootstrapMean(values));
  return {
    low: intervals.map(({ mean, low }, i) => center[i] + low - mean),
    high: intervals.map(({ mean, high }, i) => center[i] + high - mean),
  };
}
