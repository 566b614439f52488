/** How the scores of several rewards become one. */
import { meanOf, sumOf } from '../mean.js';

/**
 * Ways to combine: `weighted` sums, `lexicographic` lets a later reward decide only where the earlier ones are equal, `harmonic` takes the
 * harmonic mean, which is low where any reward is low.
 */
export const combinationNames = ['weighted', 'lexicographic', 'harmonic'] as const;

/** One name of several rewards: mos+length. */
export const joinNames = (names: readonly string[]): string => names.join('+');

/** The names of the rewards that a name is of, one or several. */
export const partNames = (reward: string): string[] => reward.split('+');

/** How rewards are combined. */
export interface Combination {
  how: (typeof combinationNames)[number];
  /** Of `weighted` and `harmonic`: one for each reward; default 1. */
  weights?: readonly number[];
  /**
   * Of `lexicographic`: values of each reward that round to the same multiple of its step count as equal; 0, the default, takes them as they
   * are. In standard deviations where they are normalized.
   */
  steps?: readonly number[];
  /** Whether pairs are ranked by z-scores among a prompt's samples in place of the rewards as they are; default false. */
  normalize?: boolean;
}

/**
 * z-scores (x - mean) / std, std with ddof 0. Values that are all the same, which tell nothing apart, become 0.
 */
export function zScores(values: readonly number[]): number[] {
  if (values.every((value) => value === values[0])) return values.map(() => 0);
  const mean = meanOf(values);
  const std = Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
  return values.map((value) => (value - mean) / std);
}

/** sum of w x */
export function weightedSum(values: readonly number[], weights: readonly number[]): number {
  return sumOf(values.map((value, i) => weights[i] * value));
}

/** sum of w / sum of w/x, of numbers from 0 on; 0 where one of them is 0. */
export function harmonicMean(values: readonly number[], weights: readonly number[]): number {
  // Of -0 a quotient would be -Infinity.
  const quotients = values.map((value, i) => (weights[i] === 0 ? 0 : weights[i] / Math.abs(value)));
  return sumOf(weights) / sumOf(quotients);
}

/**
 * Ranks of samples, each given by its values in the order they count: 0 for the lowest, one more for each that is higher, equal ones the same.
 *
 * @param values `values[i][k]` of the kth sample by the ith reward
 * @param steps as in {@link Combination}
 */
export function lexicographicRanks(
  values: readonly (readonly number[])[],
  steps: readonly number[],
): number[] {
  const rounded = values.map((each, i) =>
    steps[i] > 0 ? each.map((value) => Math.round(value / steps[i])) : each,
  );
  const compare = (a: number, b: number): number =>
    rounded.map((each) => each[a] - each[b]).find((difference) => difference !== 0) ?? 0;
  const order = values[0].map((_, k) => k).sort(compare);
  const ranks: number[] = [];
  for (const [place, k] of order.entries()) {
    const before = order[place - 1];
    ranks[k] = place === 0 ? 0 : ranks[before] + (compare(before, k) === 0 ? 0 : 1);
  }
  return ranks;
}

/**
 * Ranks of a prompt's samples, by a combination that is normalized or lexicographic.
 *
 * @param values `values[i][k]` of the kth sample by the ith reward
 */
export function combineRanks(
  values: readonly (readonly number[])[],
  { how, weights = values.map(() => 1), steps = values.map(() => 0), normalize = false }: Combination,
): number[] {
  const compared = normalize ? values.map(zScores) : values;
  if (how === 'lexicographic') return lexicographicRanks(compared, steps);
  return values[0].map((_, k) => {
    const own = compared.map((each) => each[k]);
    if (how === 'weighted') return weightedSum(own, weights);
    return harmonicMean(own.map(logistic), weights);
  });
}

/** z-scores as the positive numbers that a harmonic mean is of. */
const logistic = (z: number): number => 1 / (1 + Math.exp(-z));

/**
 * Makes sure that a combination fits so many rewards.
 *
 * @throws Error in one sentence
 */
export function checkCombination({ how, weights, steps }: Combination, count: number): void {
  const lists = { weights, steps };
  for (const [name, list] of Object.entries(lists)) {
    if (list === undefined) continue;
    if ((name === 'steps') !== (how === 'lexicographic'))
      throw new Error(
        name === 'steps'
          ? `steps go with the lexicographic order of rewards, not with ${how}`
          : 'weights go with a weighted sum or a harmonic mean of rewards; their order is what counts in the lexicographic one',
      );
    if (list.length !== count) throw new Error(`there are ${list.length} ${name} for ${count} rewards`);
  }
  if (steps?.some((step) => !(step >= 0 && step < Infinity)))
    throw new Error(`the steps ${steps.join(', ')} are not numbers from 0 on`);
  if (!weights) return;
  if (!weights.every(Number.isFinite)) throw new Error(`the weights ${weights.join(', ')} are not numbers`);
  if (weights.every((weight) => weight === 0)) throw new Error('all weights are 0');
  if (how === 'harmonic' && weights.some((weight) => weight < 0))
    throw new Error(`the weights of a harmonic mean are from 0 on, not ${weights.join(', ')}`);
}
