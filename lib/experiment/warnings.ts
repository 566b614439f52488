/** What a run says on its own of itself, each a sentence: what is seen, what it means, what to do. docs/preference.md explains the limits. */
import type { PromptPairs } from '../dpo/pairs.js';
import type { PreferenceLoss } from '../dpo/preference-loss.js';
import type { Device } from '../engine/index.js';
import { formatNumber } from '../format.js';
import { meanOf } from '../mean.js';
import type { RunEvent, Split } from '../run/events.js';
import { comparePairs } from '../run/paired-comparison.js';
import type { Parameters } from '../run/parameters.js';
import { countWarmupSteps } from '../train/schedule.js';
import { certaintyOf } from './certainty.js';
import type { ScoredCompletion } from './scored-completion.js';

/** A loss of single samples is mixed with no likelihood term. */
type Trained = Pick<PreferenceLoss, 'isUnpaired'>;
type Warned = Extract<RunEvent, { type: 'warned' }>;
type Samples = Readonly<Record<Split, readonly ScoredCompletion[][]>>;
type StepEvent = Extract<RunEvent, { type: 'step' }>;

/** Share of train prompts without spread that is worth a warning. */
const SPREAD_LIMIT = 0.5;
/** Nats that the chosen samples' log-probability may fall by per label while margins grow. */
const LIKELIHOOD_LIMIT = 1;
/** Share of samples by which those that did not end may rise. */
const ENDINGS_LIMIT = 0.1;
/** Share of held-out samples by which those without a score may rise. */
const UNSCORED_LIMIT = 0.05;

/**
 * What is known of the pairing `target`: it ends at the targets' own distribution (SPIN, Chen et al. 2024, arXiv:2401.01335), and is
 * unstable on the way (Alami et al. 2024, arXiv:2404.04291).
 */
export const TARGET_WARNING =
  "pairing target prefers the dataset's targets to the policy's own samples whatever their rewards are: the policy learns to tell targets from what it " +
  'writes and comes near them, but never above them, and the reward only chooses what is rejected (docs/rewards.md)';

/** What the device goes on without, as far as nobody has told it yet. */
export function deviceNotices(device: Device): Extract<RunEvent, { type: 'notice' }>[] {
  return (device.takeNotices?.() ?? []).map((message) => ({ type: 'notice', message }));
}

/** Prompts whose samples all rank the same, or are all good or all bad, teach nothing. */
export function warnOfSpread(iteration: number, prompts: readonly PromptPairs<unknown>[]): Warned[] {
  const alike = prompts.filter(({ considered, dropped: { tie = 0, uniform = 0 } }) =>
    considered === 0 ? false : tie === considered || uniform === considered,
  ).length;
  if (!(alike / prompts.length > SPREAD_LIMIT)) return [];
  const message =
    `the samples of ${alike} of ${prompts.length} prompts have no spread: they are equally good, so that nothing can be learned from them; ` +
    'sample more of each prompt (sampleSize), or hotter (temperature), or take a reward that tells them apart';
  return [{ type: 'warned', iteration, about: 'spread', message }];
}

/** Without pairs there is nothing to train on. */
export function warnOfNoPairs(iteration: number, pairs: number): Warned[] {
  if (pairs > 0) return [];
  const message =
    'no prompt made a pair, so that nothing is trained: the policy stays as it was, and whatever changes in its evaluation is chance; ' +
    'the reasons stand beside the pairs (skipped); minMargin, minChosen and dropUniform each drop pairs';
  return [{ type: 'warned', iteration, about: 'pairs', message }];
}

/**
 * The likelihood of chosen samples falls though they are preferred (Pal et al. 2024, arXiv:2402.13228; Razin et al. 2024, arXiv:2410.08847): means
 * over the first epoch and the last one that is kept, which have the same pairs. A training of one epoch has nothing to compare.
 *
 * @param steps of an iteration's training
 * @param labels of a chosen sample, on average
 */
export function warnOfLikelihood(
  iteration: number,
  steps: readonly StepEvent[],
  labels: number,
  loss: Trained,
): Warned[] {
  const last = steps.at(-1)?.epoch ?? 0;
  if (last === 0) return [];
  const meanIn = (epoch: number, name: 'logps/chosen' | 'rewards/margins') =>
    meanOf(steps.filter((step) => step.epoch === epoch).map(({ metrics }) => metrics[name] ?? NaN));
  const fall = (meanIn(0, 'logps/chosen') - meanIn(last, 'logps/chosen')) / labels;
  const grown = meanIn(last, 'rewards/margins') - meanIn(0, 'rewards/margins');
  if (!(fall > LIKELIHOOD_LIMIT && grown > 0)) return [];
  const message =
    `the log-probability of chosen samples fell by ${formatNumber(fall)} a token since the first epoch (limit ${LIKELIHOOD_LIMIT}) while margins grew: ` +
    'the policy unlearns what it should prefer, and its probability goes to what nobody has scored; ' +
    `raise ${loss.isUnpaired ? '' : 'the likelihood term (rpoAlpha) or '}beta, or take a smaller learningRate or fewer epochs`;
  return [{ type: 'warned', iteration, about: 'likelihood', message }];
}

/** A moving reference whose first move comes when the training is over. */
export function warnOfReference(
  iteration: number,
  steps: number,
  { reference, referenceSteps }: Pick<Parameters, 'reference' | 'referenceSteps'>,
  { needsReference }: Pick<PreferenceLoss, 'needsReference'>,
): Warned[] {
  if (reference !== 'moving' || !needsReference || steps === 0 || referenceSteps < steps) return [];
  const message =
    `the moving reference did not move before the end: it moves after every ${referenceSteps} optimizer steps (referenceSteps), and this training had ${steps}, ` +
    'so that it was trained as with the reference start; take a smaller referenceSteps, or more epochs';
  return [{ type: 'warned', iteration, about: 'reference', message }];
}

/** A training whose steps are all of its warm-up: the learning rate does not reach its peak. */
export function warnOfWarmup(
  iteration: number,
  steps: number,
  { warmupSteps }: Pick<Parameters, 'warmupSteps'>,
): Warned[] {
  const warmup = countWarmupSteps(warmupSteps, steps);
  if (steps === 0 || warmup < steps) return [];
  const message =
    `the learning rate did not reach its peak: it rises for ${formatSteps(warmup)} (warmupSteps), and this training had ${formatSteps(steps)}, the first of which learns nothing; ` +
    'take a smaller warmupSteps, or more epochs';
  return [{ type: 'warned', iteration, about: 'warmup', message }];
}

const formatSteps = (count: number): string => (count === 1 ? '1 step' : `${count} steps`);

/** A step that changes the policy: the first one of a warm-up has a learning rate of 0. */
export const isLearning = (event: RunEvent): boolean =>
  event.type === 'step' && (event.metrics.learning_rate ?? 0) > 0;

/** Samples that go on until they are cut off: a policy that forgets how to end. Over train and held-out prompts. */
export function warnOfEndings(iteration: number, original: Samples, now: Samples, loss: Trained): Warned[] {
  const [before, after] = [original, now].map(({ train, test }) => [...train, ...test]);
  const risen = riseOf(before, after, ({ finished }) => !finished);
  if (!(risen.rise > ENDINGS_LIMIT)) return [];
  const { isCertain, text } = risen.certainty;
  const message =
    `${risen.after} of the samples did not end, ${risen.before} before training (${text}): the policy ${isCertain ? 'forgets' : 'may be forgetting'} how to end; ` +
    `${isCertain ? '' : 'evaluate on more prompts (trainPrompts, testPrompts) to know; if it does, '}` +
    `${loss.isUnpaired ? '' : 'raise the likelihood term (rpoAlpha), which keeps the ends of chosen samples, '}take a smaller learningRate, or raise maxNewTokens where it cuts off what is good`;
  return [{ type: 'warned', iteration, about: 'endings', message }];
}

/** Samples that are empty, or that the reward cannot score, are in no mean and in no pair: a policy that writes more of them looks no worse. */
export function warnOfUnscored(iteration: number, original: Samples, now: Samples): Warned[] {
  const risen = riseOf(original.test, now.test, ({ dropped }) => dropped !== undefined);
  if (!(risen.rise > UNSCORED_LIMIT)) return [];
  const message =
    `${risen.after} of the held-out samples have no score, ${risen.before} before training (${risen.certainty.text}): they are in no mean and in no pair, so that the reward above does not ` +
    'show what the policy lost by them, nor does training take it back; the log says what is wrong with them; take a smaller learningRate or fewer epochs, or ' +
    'a reward that gives such samples its lowest score';
  return [{ type: 'warned', iteration, about: 'unscored', message }];
}

const percent = (share: number): string => `${formatNumber(100 * share, 0)} %`;
const points = (share: number): string => `${formatNumber(100 * share, 0)} points`;

/** By how much a share of samples rose, and whether that can be told from chance. */
function riseOf(
  before: readonly ScoredCompletion[][],
  after: readonly ScoredCompletion[][],
  isCounted: (sample: ScoredCompletion) => boolean,
) {
  const sharesOf = (scored: readonly ScoredCompletion[][]) =>
    scored.map((samples) => samples.filter(isCounted).length / samples.length);
  const [first, second] = [before, after].map(sharesOf);
  const compared = comparePairs(first, second)!;
  return {
    before: percent(meanOf(first)),
    after: percent(meanOf(second)),
    rise: compared.change,
    certainty: certaintyOf(compared, 1, points),
  };
}
