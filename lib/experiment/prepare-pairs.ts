import { join } from 'node:path';
import { choosePairs, type PairRules } from '../dpo/pairs.js';
import type { GuardFigure } from '../reward/guard.js';
import { farmOf, isInPairs } from './answer.js';
import { deriveSeed } from './sample.js';
import { dataFileName, readDataFile, writeDataFile, type PreferenceRow } from '../run/data-file.js';
import type { RunEvent } from '../run/events.js';
import type { Run } from './run.js';
import { rankPrompts } from './rank-prompts.js';
import type { ScoredCompletion } from './scored-completion.js';
import { tally } from './tally.js';
import { summarize } from '../run/statistics.js';
import { makeSyntheticPairs } from './synthetic-pairs.js';
import { pairOf, pairsOf, type TrainingPair } from './training-pairs.js';

/**
 * An iteration's preference pairs: the best and the worst of each train prompt's samples, written to data_iter_k.json.
 * With `syntheticFirstIteration`, iteration 0 makes its pairs up and later iterations train on data_iter_0.json again, as the original does.
 */
export async function* preparePairs(run: Run, iteration: number): AsyncGenerator<RunEvent, TrainingPair[]> {
  const { parameters, directories } = run;
  const skippedReasons: string[] = [];
  let pairs: TrainingPair[];
  let dataIteration = iteration;
  if (!parameters.syntheticFirstIteration) {
    const scored = yield* sampleAndScore(run, iteration);
    pairs = pairUp(run, scored, skippedReasons);
  } else if (iteration === 0) {
    const seed = deriveSeed(parameters.seed, iteration, 'synthetic');
    const rows = makeSyntheticPairs(run.train, run.codec.codebookSize, seed);
    pairs = rows.map((row, index) => pairOf(run.policy, run.train[index], row));
  } else {
    dataIteration = 0;
    pairs = pairsOf(run, await readDataFile(join(directories.outputDirectory, dataFileName(0))));
  }
  // A single pair is doubled, so that one can validate.
  if (pairs.length === 1) pairs = [pairs[0], pairs[0]];
  const rows = pairs.map(({ row }) => row);
  if (dataIteration === iteration) await writeDataFile(directories.outputDirectory, iteration, rows);
  yield {
    type: 'paired',
    iteration,
    pairs: rows.length,
    skipped: skippedReasons.length,
    skippedReasons,
    chosenRewards: rows.map(({ chosenReward }) => chosenReward),
    rejectedRewards: rows.map(({ rejectedReward }) => rejectedReward),
    dataFile: dataFileName(dataIteration),
  };
  return pairs;
}

async function* sampleAndScore(run: Run, iteration: number): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const { sampleSize, seed, guardPairs } = run.parameters;
  const { scored, sampledSeconds } = yield* farmOf(run).answer({
    iteration,
    stage: 'sample',
    split: 'train',
    prompts: run.train,
    samplesPerPrompt: sampleSize,
    seed: deriveSeed(seed, iteration, 'sample'),
    guards: guardPairs ? 'pairs' : 'none',
  });
  const { rewards, lengths, droppedReasons } = tally(scored);
  yield {
    type: 'scored',
    iteration,
    scored: rewards.length,
    dropped: lengths.length - rewards.length,
    droppedReasons,
    averageReward: summarize(rewards).mean,
    seconds: run.clock.seconds() - sampledSeconds,
  };
  return rankPrompts(run.reward, scored);
}

function pairUp(run: Run, scored: readonly ScoredCompletion[][], skippedReasons: string[]): TrainingPair[] {
  const { pairsPerPrompt, minMargin, guardPairs } = run.parameters;
  const rules: PairRules<ScoredCompletion> = { minMargin, ...(guardPairs && { notWorseIn: figuresInPairs }) };
  return run.train.flatMap((prompt) => {
    const { index, item } = prompt;
    const choices = choosePairs(scored[index], pairsPerPrompt, rules);
    if ('skipped' in choices) {
      skippedReasons.push(`prompt ${index}: ${choices.skipped}`);
      return [];
    }
    return choices.map(({ chosen, rejected, averageReward }) => {
      const row: PreferenceRow = {
        instruction: item.instruction,
        source: item.src_encodec[0],
        chosen: chosen.codes,
        rejected: rejected.codes,
        chosenReward: chosen.reward,
        rejectedReward: rejected.reward,
        averageReward,
        details: { ...prefixNames('chosen_', chosen.details), ...prefixNames('rejected_', rejected.details) },
      };
      return pairOf(run.policy, prompt, row);
    });
  });
}

/** The figures that a chosen sample must not lose; for all of them higher is better. */
function figuresInPairs({ figures }: ScoredCompletion): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).filter(([name]) => isInPairs(name as GuardFigure)));
}

function prefixNames(prefix: string, details: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [prefix + name, value]));
}
