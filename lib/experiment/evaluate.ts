import { deriveSeed, sampleCompletions } from './sample.js';
import type { RunEvent, Split } from '../run/events.js';
import {
  meanOrNull,
  summarizeGuards,
  warnOfBlindGuards,
  warnOfHacking,
  type GuardedEvaluation,
} from './guard-summary.js';
import type { PackedPrompt, Run, SamplingRun, ScoringRun } from './run.js';
import type { Guard } from '../reward/guard.js';
import { createScoring } from './score.js';
import type { ScoredCompletion } from './scored-completion.js';
import { tally } from './tally.js';
import { summarize } from '../run/statistics.js';

/** The completions of an evaluation by split, `[prompt][sample]`. */
export type Evaluation = Record<Split, ScoredCompletion[][]>;

/**
 * Samples the policy as it is on train and test prompts and scores the samples: one `evaluated` event per split. What the guards measure of
 * the same test samples follows as `guarded`, with a warning where they fell since the original policy while the reward rose.
 */
export async function* evaluate(
  run: Run,
  iteration: number,
  original?: Evaluation,
): AsyncGenerator<RunEvent, Evaluation> {
  const { numEval } = run.parameters;
  const train = yield* evaluateSplit(run, iteration, 'train', run.train, numEval);
  const test = yield* evaluateSplit(run, iteration, 'test', run.test, numEval, run.guards);
  if (run.guards.length > 0) {
    const now = summarizeEvaluation(test);
    const warnings = warnOfBlindGuards(run.guards, now.guards);
    if (original) warnings.push(...warnOfHacking(summarizeEvaluation(original.test), now));
    yield { type: 'guarded', iteration, guards: now.guards, warnings };
  }
  return { train, test };
}

function summarizeEvaluation(scored: ScoredCompletion[][]): GuardedEvaluation {
  return { meanReward: summarize(tally(scored).rewards).mean, guards: summarizeGuards(scored) };
}

/** Samples and scores prompts of one split, and guards the samples where guards are given. Yields one `evaluated` event. */
export async function* evaluateSplit(
  run: SamplingRun & ScoringRun & Pick<Run, 'clock'>,
  iteration: number,
  split: Split,
  prompts: readonly PackedPrompt[],
  samplesPerPrompt: number,
  guards: readonly Guard[] = [],
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const startSeconds = run.clock.seconds();
  const scoring = createScoring(run, { split, prompts, guards });
  let scored: ScoredCompletion[][];
  try {
    yield* sampleCompletions(
      run,
      prompts,
      samplesPerPrompt,
      deriveSeed(run.parameters.seed, iteration, `evaluate-${split}`),
      { iteration, stage: 'evaluate', split },
      scoring.add,
    );
    scored = yield* scoring.finish({ iteration, split });
  } finally {
    await scoring.close();
  }
  const { rewards, lengths, droppedReasons } = tally(scored);
  yield {
    type: 'evaluated',
    iteration,
    split,
    rewards,
    promptMeans: scored.map((samples) => meanOrNull(tally([samples]).rewards)),
    lengths,
    statistics: summarize(rewards),
    droppedReasons,
    seconds: run.clock.seconds() - startSeconds,
  };
  return scored;
}
