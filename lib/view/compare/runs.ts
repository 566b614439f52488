/** Runs side by side: what they are called, what differs, and which of their figures may be compared. */
import { relative, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readAudioIndex, type AudioIndex } from '../../experiment/audio-examples.js';
import { sentenceOf } from '../../plain-error.js';
import { samplingParameters, type Parameters } from '../../run/parameters.js';
import { rewardLabelOf, readRun, type RecordedRun, type RunRecord } from '../../run/run-files.js';
import { formatValue } from '../../format.js';
import { beforeAndAfter } from '../run-events.js';

export interface ComparedRun extends RecordedRun {
  /** The run's name, or its folder where another run has that name. */
  name: string;
  /** The name and, where they are at most two and short, the parameters that differ from the others'. */
  label: string;
  /** Name of its rewards on axes. */
  rewardLabel: string;
  /** Absent where the run has none. */
  audio?: AudioIndex;
}

/**
 * Reads the runs to compare, finished or not.
 *
 * @param directories `output/{name}` or `model_output/{name}`; the first run is the one that the others are compared with
 * @throws Error in one sentence for fewer than two, for a folder that is no run's, and for a run that is given twice
 */
export async function readComparedRuns(directories: readonly string[]): Promise<ComparedRun[]> {
  if (directories.length < 2)
    throw new Error(
      'compare takes two runs or more, as output/0601-1200 output/0601-1300; report shows one run',
    );
  const runs = await Promise.all(directories.map((each) => readRun(each)));
  const folders = runs.map((run) => resolve(run.directories.modelDirectory));
  const twice = folders.findIndex((folder, i) => folders.indexOf(folder) < i);
  if (twice >= 0) throw new Error(`${directories[twice]} is given twice: compare takes different runs`);
  const audio = await Promise.all(
    runs.map((run) =>
      readAudioIndex(run.directories.outputDirectory).catch((error: unknown) => void sentenceOf(error)),
    ),
  );
  const names = nameRuns(runs);
  const labels = labelRuns(runs, names);
  return runs.map((run, i) => ({
    ...run,
    name: names[i],
    label: labels[i],
    rewardLabel: rewardLabelOf(run.record),
    ...(audio[i] && { audio: audio[i] }),
  }));
}

/** The parameters whose values are not the same in all runs. */
export function differingParameters(runs: readonly Pick<RecordedRun, 'record'>[]): (keyof Parameters)[] {
  const [first, ...others] = runs.map(({ record }) => record.parameters);
  if (first === undefined) return [];
  const names = Object.keys(first) as (keyof Parameters)[];
  return names.filter((name) => others.some((other) => !isDeepStrictEqual(other[name], first[name])));
}

const MOST_NAMED = 2;
const LONGEST_NAMED = 24;

function nameRuns(runs: readonly RecordedRun[]): string[] {
  const names = runs.map(({ record }) => record.run);
  const areUnique = new Set(names).size === names.length;
  return runs.map(({ directories }, i) =>
    areUnique ? names[i] : relative(process.cwd(), directories.outputDirectory),
  );
}

function labelRuns(runs: readonly RecordedRun[], names: readonly string[]): string[] {
  const differing = differingParameters(runs);
  return runs.map(({ record }, i) => {
    const values = differing.map((parameter) => `${parameter} ${formatValue(record.parameters[parameter])}`);
    const isShort = values.length <= MOST_NAMED && values.every(({ length }) => length <= LONGEST_NAMED);
    return isShort && values.length > 0 ? `${names[i]}: ${values.join(', ')}` : names[i];
  });
}

/** Runs with the same one have rewards that are numbers of one kind; a run that scores no samples has none. */
export const rewardKindOf = ({ record, rewardLabel }: ComparedRun): string | undefined =>
  record.reward && JSON.stringify([record.parameters.reward, rewardLabel]);

export const haveSameReward = (a: ComparedRun, b: ComparedRun): boolean =>
  rewardKindOf(a) === rewardKindOf(b);

/** Whether the held-out prompts of the two runs are the same, as far as the shorter list goes. */
export function haveSamePrompts(a: ComparedRun, b: ComparedRun): boolean {
  if (!isDeepStrictEqual(sourceOfPrompts(a.record), sourceOfPrompts(b.record))) return false;
  const [own, other] = [a, b].map(heldOutInstructions);
  return [...own].every(([prompt, text]) => (other.get(prompt) ?? text) === text);
}

function sourceOfPrompts({ own = [], parameters }: RunRecord): unknown {
  const { model, prompts, data, instruction, trainPrompts } = parameters;
  if (own.includes('prompts')) return ['given by the caller', instruction];
  // Of a dataset the held-out items come after the training items.
  if (data !== null) return ['data', data, trainPrompts, instruction];
  return prompts === null ? ['model', model, instruction] : ['prompts', prompts, instruction];
}

function heldOutInstructions({ audio }: ComparedRun): Map<number, string> {
  const heldOut = audio?.examples.filter(({ split }) => split === 'test') ?? [];
  return new Map(heldOut.map(({ prompt, instruction }) => [prompt, instruction]));
}

const SAMPLING = ['numEval', ...samplingParameters, 'int8'] as const;

/** What a reader has to know before comparing, a sentence each. */
export function comparisonNotes(runs: readonly ComparedRun[]): string[] {
  const [first, ...others] = runs;
  const named = (filter: (run: ComparedRun) => boolean) =>
    others
      .filter(filter)
      .map(({ label }) => label)
      .join('; ');
  const otherReward = first.record.reward
    ? named((run) => run.record.reward !== undefined && !haveSameReward(first, run))
    : '';
  const otherPrompts = named((run) => !haveSamePrompts(first, run));
  const sampling = SAMPLING.filter((name) => differingParameters(runs).includes(name));
  const areOwn = runs.some(({ record }) => record.own?.includes('prompts'));
  return [
    ...(otherReward
      ? [
          `Not comparable by reward with ${first.label}, whose rewards are another kind of number: ${otherReward}. Their rewards stand in charts of their own, and there is no difference of them.`,
        ]
      : []),
    ...(otherPrompts
      ? [
          `Not evaluated on the prompts of ${first.label}: ${otherPrompts}. Prompts cannot be paired, so there are no differences to it, and no sound side by side.`,
        ]
      : []),
    ...(areOwn && !otherPrompts
      ? ['Prompts were given by a program: that they are the same ones cannot be seen in the files.']
      : []),
    ...(sampling.length > 0
      ? [
          `The runs sample differently (${sampling.join(', ')}), which moves rewards and their spread without any training.`,
        ]
      : []),
    ...runs.flatMap(describeState),
  ];
}

function describeState({ label, record, events }: ComparedRun): string[] {
  const { iterations } = record.parameters;
  const { before, after } = beforeAndAfter(events, 'test');
  if (!record.reward)
    return [
      `${label} trained on given pairs, and none of its samples are scored: it takes part with its training and its parameters only. To score its checkpoint and one of another run by the same reward: speech-dpo eval CHECKPOINT --reward NAME.`,
    ];
  if (!before && !after)
    return [
      `${label} holds no evaluation on held-out prompts: it takes part with its training and its parameters only.`,
    ];
  if (record.state === 'finished') return [];
  const reached = after
    ? `it is evaluated up to iteration ${after.iteration} of 0 to ${iterations - 1}`
    : 'its original policy is evaluated, and no trained one';
  return [`${label} has not finished (${record.state}): ${reached}.`];
}
