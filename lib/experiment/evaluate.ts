import { flatten, sampleCompletions, scoreCompletions, type ScoredCompletion } from './collect.js';
import type { RunEvent, Split } from './events.js';
import type { Run } from './run.js';
import { deriveSeed } from './seeds.js';
import { summarize } from './statistics.js';

/** The completions of an evaluation by split, `[prompt][sample]`. */
export type Evaluation = Record<Split, ScoredCompletion[][]>;

/** Samples the policy as it is on train and test prompts and scores the samples. Yields one `evaluated` event per split. */
export async function* evaluate(run: Run, iteration: number): AsyncGenerator<RunEvent, Evaluation> {
  const train = yield* evaluateSplit(run, iteration, 'train');
  const test = yield* evaluateSplit(run, iteration, 'test');
  return { train, test };
}

async function* evaluateSplit(
  run: Run,
  iteration: number,
  split: Split,
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const startMs = performance.now();
  const { seed, numEval } = run.parameters;
  const completions = yield* sampleCompletions(
    run,
    run[split],
    numEval,
    deriveSeed(seed, iteration, `evaluate-${split}`),
    { iteration, stage: 'evaluate', split },
  );
  const scored = yield* scoreCompletions(run, run[split], completions, { iteration, split });
  const { rewards, lengths } = flatten(scored);
  yield {
    type: 'evaluated',
    iteration,
    split,
    rewards,
    lengths,
    statistics: summarize(rewards),
    seconds: (performance.now() - startMs) / 1000,
  };
  return scored;
}
