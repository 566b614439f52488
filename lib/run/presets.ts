/** The settings of each experiment. */
import { isBuiltIn, type ExperimentName, type RewardName } from '../reward/built-in.js';
import type { Parameters } from './parameters.js';

/** Codes: no edit that the embedded policy has learned is longer than 169. */
const LONGEST_TARGET = 180;

/**
 * The settings of each experiment that differ from the defaults. With them the embedded policy learns the experiment in three short
 * iterations. Pairing half of a prompt's samples with the other half, in large batches, shows what better samples have in common, more than
 * what one sample happens to be. A weak pull to the reference (small beta) lets the policy move that far; a little of the chosen samples'
 * likelihood (rpoAlpha) keeps their ends where they were. MOS scores are part chance (docs/default.md), so a least margin keeps the pairs
 * in which one sample is noisy and the other is not.
 */
export const presets: Record<ExperimentName, Partial<Parameters>> = {
  'even-token': {
    reward: 'even-token',
    pairsPerPrompt: 5,
    beta: 0.005,
    rpoAlpha: 0.05,
    learningRate: 7e-4,
    epochs: 6,
    batchSize: 10,
    maxNewTokens: LONGEST_TARGET,
  },
  length: {
    reward: 'length',
    instruction: 'Make the audio much faster than before.',
    learningRate: 2e-5,
    epochs: 6,
    batchSize: 3,
    maxNewTokens: LONGEST_TARGET,
  },
  mos: {
    reward: 'mos',
    guard: true,
    pairsPerPrompt: 5,
    minMargin: 0.5,
    rpoAlpha: 0.1,
    learningRate: 5e-5,
    batchSize: 10,
    maxNewTokens: LONGEST_TARGET,
  },
};

/** Whose settings other built-in rewards have. Those of the audio have mos's, but a least margin only where it is a number of opinion scores. */
const OTHER_PRESETS: Record<Exclude<RewardName, ExperimentName>, Partial<Parameters>> = {
  naturalness: { ...presets.mos, reward: 'naturalness' },
  similarity: { ...presets.mos, reward: 'similarity', minMargin: 0 },
  silence: { ...presets.mos, reward: 'silence', minMargin: 0 },
  repetition: { ...presets['even-token'], reward: 'repetition' },
  wer: { ...presets.mos, reward: 'wer', minMargin: 0 },
  cer: { ...presets.mos, reward: 'cer', minMargin: 0 },
};

/** The settings of a run with a reward; a reward of a person's own has those of even-token. */
export function presetOf(reward: string): Partial<Parameters> {
  return isBuiltIn(reward) ? { ...presets, ...OTHER_PRESETS }[reward] : presets['even-token'];
}
