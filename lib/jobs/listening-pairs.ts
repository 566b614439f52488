import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PackedPrompt } from '../experiment/packed-prompt.js';
import { evaluationSeed, sampleCompletions } from '../experiment/sample.js';
import type { ItemCompletion } from '../experiment/synthesize.js';
import type { OnNotice } from '../notice.js';
import { shuffled } from '../random.js';
import { findCheckpoint, type RunCheckpoint } from '../run/checkpoint-path.js';
import { dataFileName, iterationOfDataFile, readDataFile, type PreferenceRow } from '../run/data-file.js';
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import type { Listening } from '../run/listening.js';
import { readRun, type RecordedRun } from '../run/run-files.js';
import { audible, soundsOf, type OpenedPolicy, type SilentPair } from './listening-sounds.js';
import { openDevice, openModel, openPolicy, type GivenDevice, type OpenDevice } from './open.js';
import { refuseOwn } from './own-parts.js';
import { openPrompts } from './prompts.js';
import { yieldingFirst } from '../plain-error.js';

/** What is compared: a run's chosen with its rejected samples, or samples of two policies. */
export const comparisons = ['pairs', 'policies'] as const;

export interface ListeningOptions extends GivenDevice {
  /** Of one run; two runs' policies are compared always. Default: pairs. */
  compare?: (typeof comparisons)[number];
  /** How many pairs; fewer where there are not as many, which a notice says. */
  pairs: number;
  /** The iteration whose pairs, or whose policy; default: the last one, and pairs of those before it where it has too few. */
  iteration?: number;
  /** Prompts that policies are sampled on. */
  split: Split;
  /** Chooses among pairs. */
  seed: number;
  signal?: AbortSignal;
  /** Is told of downloads, and of pairs that there are not. */
  onNotice?: OnNotice;
}

/**
 * Makes pairs of one or two runs audible: partner and codec turn codes into sound anew.
 *
 * @param folders of one run: its chosen against its rejected samples, or its original against its trained policy. Of two runs: their trained
 *   policies on the prompts that both have. Policies are sampled with the seeds of the runs' own evaluations, so these are the samples that the
 *   runs' figures are of.
 * @throws Error in one sentence when a run is none, lacks what is to be compared, or has no two samples that can be heard
 */
export const listeningPairs = yieldingFirst(async function* (
  folders: readonly string[],
  options: ListeningOptions,
): AsyncGenerator<RunEvent, Listening> {
  if (folders.length < 1 || folders.length > 2)
    throw new Error(`listening compares samples of one run or two runs, not of ${folders.length}`);
  if (new Set(folders.map((folder) => resolve(folder))).size < folders.length)
    throw new Error(`${folders[0]} is given twice: give one run, or two different ones`);
  if (!Number.isInteger(options.pairs) || options.pairs < 1)
    throw new Error(`the number of pairs to listen to is a whole number from 1 on, not ${options.pairs}`);
  if (!Number.isInteger(options.seed) || options.seed < 0 || options.seed > 0xffffffff)
    throw new Error(
      `the seed of the choice of pairs is a whole number from 0 to ${0xffffffff}, not ${options.seed}`,
    );
  if (folders.length === 2 && options.compare === 'pairs')
    throw new Error("two runs are compared by their policies; to compare a run's pairs, give that run alone");
  const runs = await Promise.all(folders.map(readRun));
  for (const { record } of runs) refuseOwn(record, ['codec', 'prompts', 'sampler']);
  await using device = openDevice(options);
  if (runs.length === 1 && options.compare !== 'policies')
    return yield* chosenAgainstRejected(runs[0], device, options);
  return yield* policyAgainstPolicy(policiesOf(runs, folders, options), device, options);
});

async function* chosenAgainstRejected(
  run: RecordedRun,
  device: OpenDevice,
  options: ListeningOptions,
): AsyncGenerator<RunEvent, Listening> {
  const { record } = run;
  const { parameters } = record;
  const rows = await chooseRows(run, options);
  const policy = await openPolicy(parameters, options);
  const { train, test } = await openPrompts(policy, parameters, countsOf(run), options);
  const prompts = new Map([...test, ...train].map(({ item }) => [keyOf(item), item]));
  const pairs = rows.map((row): SilentPair => {
    const item = prompts.get(keyOf({ instruction: row.instruction, src_encodec: [row.source] }));
    if (!item)
      throw new Error(
        `run ${record.run} has a pair whose prompt ("${row.instruction}") is not among its prompts: they have changed since`,
      );
    return [
      { item, codes: row.chosen },
      { item, codes: row.rejected },
    ];
  });
  const model = { policy, run, iteration: options.iteration ?? 0 };
  const sounds = yield* soundsOf(model, pairs.flat(), device, options);
  const ofSide = (side: number) => sounds.filter((_, i) => i % 2 === side);
  const systems: Listening['systems'] = [`${record.run} chosen`, `${record.run} rejected`];
  return { systems, pairs: audible(pairs, [ofSide(0), ofSide(1)], options) };
}

/** Pairs of the wanted iteration, or of the last one and, while they are too few, of those before it; each sample pair once. */
async function chooseRows(run: RecordedRun, options: ListeningOptions): Promise<PreferenceRow[]> {
  const { outputDirectory } = run.directories;
  const names = await readdir(outputDirectory).catch(() => []);
  const iterations = names
    .flatMap((name) => iterationOfDataFile(name) ?? [])
    .filter((iteration) => options.iteration === undefined || iteration === options.iteration)
    .sort((a, b) => b - a);
  if (iterations.length === 0) {
    const file = options.iteration === undefined ? 'data_iter_k.json' : dataFileName(options.iteration);
    throw new Error(`${outputDirectory} has no ${file}: the run has made no such pairs`);
  }
  const chosen = new Map<string, PreferenceRow>();
  for (const iteration of iterations) {
    const rows = await readDataFile(join(outputDirectory, dataFileName(iteration)));
    for (const row of shuffled(rows, options.seed, iteration)) {
      if (chosen.size === options.pairs) break;
      if (isPair(row.chosen, row.rejected))
        chosen.set(JSON.stringify([row.instruction, row.source, row.chosen, row.rejected]), row);
    }
  }
  return [...chosen.values()];
}

/** A policy and the run whose it is. */
interface ListenedPolicy {
  name: string;
  run: RecordedRun;
  /** Null: the model's own. */
  checkpoint: string | null;
  iteration: number;
}

function policiesOf(
  runs: readonly RecordedRun[],
  folders: readonly string[],
  { iteration }: ListeningOptions,
): [ListenedPolicy, ListenedPolicy] {
  const isNamedAlike = runs.length === 2 && runs[0].record.run === runs[1].record.run;
  const trained = runs.map((run, i): ListenedPolicy => {
    const { policy, iteration: k } = trainedCheckpoint(run, iteration);
    const name = isNamedAlike ? folders[i] : run.record.run;
    return { name: `${name} iter_${k}`, run, checkpoint: policy, iteration: k };
  });
  if (trained.length === 2) return [trained[0], trained[1]];
  const [run] = runs;
  const { policy } = run.record.parameters;
  const name = `${run.record.run} original`;
  return [{ name, run, checkpoint: policy, iteration: ORIGINAL }, trained[0]];
}

function trainedCheckpoint({ directories }: RecordedRun, iteration?: number): RunCheckpoint {
  const { modelDirectory } = directories;
  return findCheckpoint(iteration === undefined ? modelDirectory : join(modelDirectory, `iter_${iteration}`));
}

async function* policyAgainstPolicy(
  policies: readonly [ListenedPolicy, ListenedPolicy],
  device: OpenDevice,
  options: ListeningOptions,
): AsyncGenerator<RunEvent, Listening> {
  const { split } = options;
  const opened = [];
  for (const each of policies) {
    const { parameters } = each.run.record;
    const policy = await openPolicy({ ...parameters, policy: each.checkpoint }, options);
    const prompts = (await openPrompts(policy, parameters, countsOf(each.run), options))[split];
    opened.push({ ...each, policy, prompts });
  }
  const [keys, otherKeys] = opened.map(({ prompts }) => prompts.map(({ item }) => keyOf(item)));
  const common = [...new Set(keys)].filter((key) => otherKeys.includes(key));
  if (common.length === 0)
    throw new Error(
      `${policies.map(({ name }) => name).join(' and ')} have no ${split} prompt in common: compare runs on the same prompts`,
    );
  const samplesPerPrompt = Math.ceil(options.pairs / common.length);
  const completions: ItemCompletion[][][] = [];
  for (const each of opened) {
    const samples = yield* samplesOf(each, samplesPerPrompt, device, options);
    completions.push(common.map((key) => samples[each.prompts.findIndex(({ item }) => keyOf(item) === key)]));
  }
  // The first sample of every prompt, then the second of every prompt.
  const [first, second] = completions;
  const all = Array.from({ length: samplesPerPrompt }, (_, sample) =>
    common.map((_, prompt): SilentPair => [first[prompt][sample], second[prompt][sample]]),
  ).flat();
  const pairs = all.filter(([a, b]) => isPair(a.codes, b.codes)).slice(0, options.pairs);
  const sounds = [];
  for (const [i, each] of opened.entries()) {
    const side = pairs.map((pair) => pair[i]);
    sounds.push(yield* soundsOf(each, side, device, options));
  }
  return {
    systems: [policies[0].name, policies[1].name],
    pairs: audible(pairs, sounds, options),
  };
}

/** Samples of each prompt, `[prompt][sample]`: with the seed of the run's evaluation after that iteration. */
async function* samplesOf(
  { policy, run, iteration, prompts }: OpenedPolicy & { prompts: PackedPrompt[] },
  samplesPerPrompt: number,
  { device }: OpenDevice,
  { split, signal, onNotice }: ListeningOptions,
): AsyncGenerator<RunEvent, ItemCompletion[][]> {
  const { parameters } = run.record;
  await using model = await openModel(policy, parameters, { device, speaks: false, signal, onNotice });
  const seed = evaluationSeed(parameters.seed, iteration, split);
  const progress = { iteration, stage: 'sample', split } as const;
  const sampling = { ...model, parameters, signal };
  const samples = yield* sampleCompletions(sampling, prompts, samplesPerPrompt, seed, progress);
  return samples.map((ofPrompt) => ofPrompt.map(({ prompt, codes }) => ({ item: prompt.item, codes })));
}

/** Two samples that can be told apart, if at all. */
function isPair(a: readonly number[], b: readonly number[]): boolean {
  return a.length > 0 && b.length > 0 && a.join() !== b.join();
}

function keyOf({ instruction, src_encodec }: ItemCompletion['item']): string {
  return JSON.stringify([instruction, src_encodec[0]]);
}

function countsOf({ record }: RecordedRun): Record<Split, number> {
  const { trainPrompts, testPrompts } = record.parameters;
  return { train: trainPrompts, test: testPrompts };
}
