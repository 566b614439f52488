import { join } from 'node:path';
import type { PairDrop, PairDrops, PairRules } from '../dpo/pair-rules.js';
import { makePairs, type PromptPairs } from '../dpo/pairs.js';
import { repeatTrainEvaluation } from './evaluate.js';
import type { GuardFigure } from '../reward/guard.js';
import { farmOf, isInPairs } from './local-farm.js';
import { deriveSeed } from './sample.js';
import { dataFileName, readDataFile, writeDataFile, type PreferenceRow } from '../run/data-file.js';
import type { RunEvent } from '../run/events.js';
import type { PackedPrompt } from './packed-prompt.js';
import type { Run } from './run.js';
import { rankPrompts } from './rank-prompts.js';
import type { ScoredCompletion } from './scored-completion.js';
import { tally } from './tally.js';
import { summarize } from '../run/statistics.js';
import { makeSyntheticPairs } from './synthetic-pairs.js';
import { scoreTargets } from './score-targets.js';
import { pairOf, pairsOf, type TrainingPair } from './training-pairs.js';
import { warnOfNoPairs, warnOfSpread } from './warnings.js';

/**
 * An iteration's preference pairs: of each train prompt's samples by the run's `pairing`, written to data_iter_k.json.
 * With `reuseEvaluation` the samples are those of the evaluation before.
 * With `syntheticFirstIteration`, iteration 0 makes its pairs up and later iterations train on data_iter_0.json again, as the research code does.
 *
 * @param evaluated those samples; they are drawn again where they are not at hand
 */
export async function* preparePairs(
  run: Run,
  iteration: number,
  evaluated?: ScoredCompletion[][],
): AsyncGenerator<RunEvent, TrainingPair[]> {
  const { outputDirectory } = run.directories;
  const isSynthetic = run.parameters.syntheticFirstIteration;
  const { pairs, skippedReasons, ...counted } = isSynthetic
    ? await syntheticPairs(run, iteration)
    : yield* pairsOfSamples(run, iteration, evaluated);
  const rows = pairs.map(({ row }) => row);
  const dataIteration = isSynthetic ? 0 : iteration;
  if (dataIteration === iteration) await writeDataFile(outputDirectory, iteration, rows);
  yield {
    type: 'paired',
    iteration,
    pairs: rows.length,
    skipped: skippedReasons.length,
    skippedReasons,
    chosenRewards: rows.map(({ chosenReward }) => chosenReward),
    rejectedRewards: rows.map(({ rejectedReward }) => rejectedReward),
    dataFile: dataFileName(dataIteration),
    ...counted,
  };
  yield* warnOfNoPairs(iteration, pairs.length);
  return pairs;
}

/** Pairs, why prompts gave none, and where rules are at work what became of the others. */
interface PreparedPairs extends Partial<PairTally> {
  pairs: TrainingPair[];
  skippedReasons: string[];
}

async function* pairsOfSamples(
  run: Run,
  iteration: number,
  evaluated: ScoredCompletion[][] | undefined,
): AsyncGenerator<RunEvent, PreparedPairs> {
  const { reuseEvaluation, pairing, minChosen } = run.parameters;
  const scored = reuseEvaluation
    ? (evaluated ?? (yield* repeatTrainEvaluation(run, iteration - 1)))
    : yield* sampleAndScore(run, iteration);
  const ranked = rankPrompts(run.reward, scored);
  const targets = pairing === 'target' ? yield* scoreTargets(run, iteration) : undefined;
  const prompts = run.train.map(({ index }) => pairUp(run, ranked[index], targets?.[index]));
  const pairs = prompts.flatMap((prompt, i) => trainingPairs(run, run.train[i], prompt));
  yield* warnOfSpread(iteration, prompts);
  return {
    pairs,
    skippedReasons: prompts.flatMap(({ skipped }, i) =>
      skipped === undefined ? [] : [`prompt ${run.train[i].index}: ${skipped}`],
    ),
    ...((pairing !== 'best-worst' || minChosen !== null) && addUp(prompts)),
  };
}

/** Those that iteration 0 makes up, and has written when a later one reads them. */
async function syntheticPairs(run: Run, iteration: number): Promise<PreparedPairs> {
  if (iteration > 0) {
    const rows = await readDataFile(join(run.directories.outputDirectory, dataFileName(0)));
    return { pairs: pairsOf(run, rows), skippedReasons: [] };
  }
  const seed = deriveSeed(run.parameters.seed, iteration, 'synthetic');
  const rows = makeSyntheticPairs(run.train, run.codec.codebookSize, seed);
  return { pairs: rows.map((row, index) => pairOf(run.policy, run.train[index], row)), skippedReasons: [] };
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
  return scored;
}

function pairUp(
  { parameters }: Run,
  samples: readonly ScoredCompletion[],
  target: ScoredCompletion | undefined,
): PromptPairs<ScoredCompletion> {
  const { pairing, pairsPerPrompt, minMargin, minChosen, dropUniform, guardPairs } = parameters;
  const rules: PairRules<ScoredCompletion> = {
    pairing,
    target,
    minMargin,
    minChosen: minChosen ?? undefined,
    dropUniform,
    ...(guardPairs && { notWorseIn: figuresInPairs }),
  };
  const made = makePairs(samples, pairsPerPrompt, rules);
  return target?.dropped === undefined ? made : { ...made, skipped: `${made.skipped}: ${target.dropped}` };
}

function trainingPairs(
  { policy }: Run,
  prompt: PackedPrompt,
  { pairs }: PromptPairs<ScoredCompletion>,
): TrainingPair[] {
  const { item } = prompt;
  return pairs.map(({ chosen, rejected, averageReward }) => {
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
    return pairOf(policy, prompt, row);
  });
}

type PairTally = Required<Pick<Extract<RunEvent, { type: 'paired' }>, 'considered' | 'dropped'>>;

function addUp(prompts: readonly PromptPairs<unknown>[]): PairTally {
  const dropped: PairDrops = {};
  for (const prompt of prompts) {
    for (const [reason, count] of Object.entries(prompt.dropped) as [PairDrop, number][])
      dropped[reason] = (dropped[reason] ?? 0) + count;
  }
  return { considered: prompts.reduce((total, prompt) => total + prompt.considered, 0), dropped };
}

/** The figures that a chosen sample must not lose; for all of them higher is better. */
function figuresInPairs({ figures }: ScoredCompletion): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).filter(([name]) => isInPairs(name as GuardFigure)));
}

function prefixNames(prefix: string, details: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [prefix + name, value]));
}
