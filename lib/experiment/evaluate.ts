import { farmOf, type LocalRun } from './local-farm.js';
import type { GuardChoice } from './farm.js';
import { measureKlDivergence } from './kl-divergence.js';
import { evaluationSeed } from './sample.js';
import type { RunEvent, Split } from '../run/events.js';
import {
  meanOrNull,
  summarizeGuards,
  warnOfBlindGuards,
  warnOfHacking,
  type GuardedEvaluation,
} from './guard-summary.js';
import type { Run } from './run.js';
import type { PackedPrompt } from './packed-prompt.js';
import type { ScoredCompletion } from './scored-completion.js';
import { tally } from './tally.js';
import { namedLoss } from '../dpo/losses/named.js';
import { deviceNotices, warnOfEndings, warnOfUnscored } from './warnings.js';
import { bestOfN } from '../run/best-of-n.js';
import { summarize } from '../run/statistics.js';

/** The completions of an evaluation by split, `[prompt][sample]`. */
export type Evaluation = Record<Split, ScoredCompletion[][]>;

/**
 * Samples the policy as it is on train and test prompts and scores the samples: one `evaluated` event per split. What the guards measure of
 * the same test samples follows as `guarded`, with a warning where they fell since the original policy while the reward rose. What the device
 * goes on without is told last.
 *
 * @param original what is warned against; undefined while nothing was learned since, and any change is chance
 */
export async function* evaluate(
  run: Run,
  iteration: number,
  original?: Evaluation,
): AsyncGenerator<RunEvent, Evaluation> {
  const { numEval } = run.parameters;
  const train = yield* evaluateSplit(run, iteration, 'train', run.train, numEval, trainGuards(run));
  let test = yield* evaluateSplit(run, iteration, 'test', run.test, numEval, 'all');
  if (run.guards.length > 0) {
    test = yield* measureKlDivergence(run, iteration, run.test, test);
    const now = summarizeEvaluation(test);
    const warnings = warnOfBlindGuards(run.guards, now.guards);
    if (original) warnings.push(...hackingOf(original, { train, test }));
    yield { type: 'guarded', iteration, guards: now.guards, warnings };
  }
  if (original) {
    yield* warnOfEndings(iteration, original, { train, test }, namedLoss(run.parameters));
    yield* warnOfUnscored(iteration, original, { train, test });
  }
  yield* deviceNotices(run.device);
  return { train, test };
}

/** A sentence for each guard that fell beyond its limit between two evaluations while the reward rose. */
export function hackingOf(original: Evaluation, now: Evaluation): string[] {
  return warnOfHacking(summarizeEvaluation(original.test), summarizeEvaluation(now.test));
}

function summarizeEvaluation(scored: ScoredCompletion[][]): GuardedEvaluation {
  return { promptMeans: promptMeansOf(scored), guards: summarizeGuards(scored) };
}

/**
 * The train samples of the evaluation after an iteration, drawn and scored again: they come out the same while the policy is as it was then.
 */
export function repeatTrainEvaluation(
  run: Run,
  iteration: number,
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  return draw(run, iteration, 'train', run.train, run.parameters.numEval, trainGuards(run));
}

/** Which guards measure an evaluation's train samples: those of pairs, where pairs are made of them. */
const trainGuards = ({ parameters: { reuseEvaluation, guardPairs } }: Run): GuardChoice =>
  reuseEvaluation && guardPairs ? 'pairs' : 'none';

type EvaluatedRun = LocalRun & Pick<Run, 'farm'>;

/** Samples and scores prompts of one split. Yields one `evaluated` event. */
export async function* evaluateSplit(
  run: EvaluatedRun,
  iteration: number,
  split: Split,
  prompts: readonly PackedPrompt[],
  samplesPerPrompt: number,
  guards: GuardChoice = 'none',
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const startSeconds = run.clock.seconds();
  const scored = yield* draw(run, iteration, split, prompts, samplesPerPrompt, guards);
  const { rewards, lengths, droppedReasons } = tally(scored);
  yield {
    type: 'evaluated',
    iteration,
    split,
    rewards,
    promptMeans: promptMeansOf(scored),
    bestOfN: bestOfN(scored.map((samples) => samples.map(({ reward }) => reward))),
    lengths,
    statistics: summarize(rewards),
    droppedReasons,
    seconds: run.clock.seconds() - startSeconds,
  };
  return scored;
}

const promptMeansOf = (scored: readonly ScoredCompletion[][]) =>
  scored.map((samples) => meanOrNull(tally([samples]).rewards));

async function* draw(
  run: EvaluatedRun,
  iteration: number,
  split: Split,
  prompts: readonly PackedPrompt[],
  samplesPerPrompt: number,
  guards: GuardChoice,
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const seed = evaluationSeed(run.parameters.seed, iteration, split);
  const request = { iteration, stage: 'evaluate', split, prompts, samplesPerPrompt, seed, guards } as const;
  const { scored } = yield* farmOf(run).answer(request);
  return scored;
}
