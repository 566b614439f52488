/** Losses by TRL's names, as parameters name them. */
import type { PreferenceLoss } from '../preference-loss.js';
import { aotLoss } from './aot.js';
import { apoDownLoss, apoZeroLoss, bcoPairLoss, ncaPairLoss, sppoHardLoss } from './each-side.js';
import { ktoLoss } from './kto.js';
import { exoPairLoss, hingeLoss, rewardGapLoss, robustLoss, sigmoidLoss } from './margin.js';
import { mixedLoss, sftLoss } from './mixed.js';
import { ipoLoss, sigmoidNormLoss, simpoLoss } from './length-normalized.js';

/** What losses are made of. */
export interface LossSettings {
  /** A name of `lossNames`, or several with commas: their sum. */
  loss: string;
  /** How much each counts, with commas; null: 1 each. */
  lossWeights: string | null;
  beta: number;
  labelSmoothing: number;
  simpoGamma: number;
  /** `rpo_bwd_kl` alone reads it. */
  rewardScale: number;
  desirableWeight: number;
  undesirableWeight: number;
  /** Weight of `sft` beside the losses. */
  rpoAlpha: number;
}

const LOSSES = {
  sigmoid: ({ beta, labelSmoothing }) => sigmoidLoss(beta, labelSmoothing),
  robust: ({ beta, labelSmoothing }) => robustLoss(beta, labelSmoothing),
  hinge: ({ beta }) => hingeLoss(beta),
  ipo: ({ beta }) => ipoLoss(beta),
  sigmoid_norm: ({ beta }) => sigmoidNormLoss(beta),
  simpo: ({ beta, simpoGamma }) => simpoLoss(beta, simpoGamma),
  apo_zero: ({ beta }) => apoZeroLoss(beta),
  apo_down: ({ beta }) => apoDownLoss(beta),
  exo_pair: ({ beta, labelSmoothing }) => exoPairLoss(beta, labelSmoothing),
  nca_pair: ({ beta }) => ncaPairLoss(beta),
  bco_pair: ({ beta }) => bcoPairLoss(beta),
  sppo_hard: ({ beta }) => sppoHardLoss(beta),
  aot: ({ beta, labelSmoothing }) => aotLoss(beta, labelSmoothing),
  rpo_bwd_kl: ({ beta, rewardScale }) => rewardGapLoss(beta, rewardScale),
  sft: ({ beta }) => sftLoss(beta),
  kto: (settings) => ktoLoss(settings),
} as const satisfies Record<string, (settings: LossSettings) => PreferenceLoss>;

export type LossName = keyof typeof LOSSES;
export const lossNames = Object.keys(LOSSES) as LossName[];

/** Those that look at `labelSmoothing`. */
const SMOOTHED: readonly LossName[] = ['sigmoid', 'robust', 'exo_pair', 'aot'];

/**
 * The loss that settings name, with `sft` beside it where `rpoAlpha` says so.
 *
 * @throws Error in one sentence for a name that is none, weights that are not one for each, or settings that the loss has no use for
 */
export function namedLoss(settings: LossSettings): PreferenceLoss {
  const names = splitList(settings.loss);
  const unknown = names.find((name) => !lossNames.some((each) => each === name));
  if (unknown !== undefined)
    throw new Error(`there is no loss "${unknown}"; the losses are ${lossNames.join(', ')}`);
  if (new Set(names).size < names.length) throw new Error(`the loss ${settings.loss} names one twice`);
  const weights = weightsOf(settings, names);
  if (settings.labelSmoothing > 0 && !names.some((name) => SMOOTHED.some((each) => each === name)))
    throw new Error(
      `labelSmoothing is for the losses ${SMOOTHED.join(', ')}; ${names.join(' and ')} would not look at it`,
    );
  const parts = names.map((name, i) => [LOSSES[name as LossName](settings), weights[i]] as const);
  const { rpoAlpha, beta } = settings;
  if (rpoAlpha !== 0 && parts.length === 1 && parts[0][0].isUnpaired)
    throw new Error(
      `${names[0]} is a loss of single samples and is mixed with no other, and rpoAlpha, which is ${rpoAlpha}, adds sft to it: set rpoAlpha to 0`,
    );
  return mixedLoss(rpoAlpha === 0 ? parts : [...parts, [sftLoss(beta), rpoAlpha]]);
}

function weightsOf({ lossWeights }: LossSettings, names: readonly string[]): number[] {
  if (lossWeights === null) return names.map(() => 1);
  const weights = splitList(lossWeights).map(Number);
  if (weights.length !== names.length)
    throw new Error(
      `lossWeights has ${weights.length} ${weights.length === 1 ? 'weight' : 'weights'} for ${names.length} ${names.length === 1 ? 'loss' : 'losses'}`,
    );
  if (!weights.every((weight) => weight > 0 && Number.isFinite(weight)))
    throw new Error(`lossWeights is "${lossWeights}": numbers above 0 with commas between them are expected`);
  return weights;
}

const splitList = (text: string): string[] => text.split(',').map((part) => part.trim());
