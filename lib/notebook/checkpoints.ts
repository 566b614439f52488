import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseIndices } from '../run/checkpoint-path.js';
import { checkpointIn, findRunDirectories, type RunDirectories } from '../run/directories.js';
import { listRuns, locateRun } from '../run/find-run.js';
import { checkpointParameters, evaluateCheckpoint } from '../jobs/evaluate-checkpoint.js';
import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import { isNameEnough } from '../reward/built-in.js';
import { partNames } from '../reward/combination.js';
import { loadRewards } from '../reward/load.js';
import type { Reward } from '../reward/reward.js';
import { parseParameters } from '../run/parameters.js';
import { presets } from '../run/presets.js';
import { LOG_FILE, readRunRecord, teacherOf } from '../run/run-files.js';
import { taughtBy } from '../run/taught-by.js';
import { fileLinks } from './links.js';
import { openRun, workersFor, type LiveRunOptions } from './live-run.js';
import { policyName } from '../view/run-events.js';
import { watch } from './watch.js';
import { printNotice } from './notebook-kernel.js';
import { runPath } from './run-path.js';
import { show } from './show.js';

/** As few of everything as make pairs and a checkpoint. */
const TINY = {
  iterations: 1,
  trainPrompts: 3,
  testPrompts: 2,
  sampleSize: 4,
  numEval: 2,
  epochs: 2,
  audioPrompts: 0,
};

/**
 * The run of that name, or the latest one that has pairs and a checkpoint; where there is none, a tiny even-token run is made. Says which
 * run it is, why, and what reward it was trained by.
 *
 * @param root folder with output/ and model_output/; default: the project, one folder above the notebooks
 * @param device where the tiny run computes; default: "auto" as in `chooseDevice`
 * @throws Error in one sentence, with the runs there are, when there is none of that name, or it has no checkpoint and pairs
 */
export async function findRun(name: string, root = '..', device?: DeviceChoice): Promise<RunDirectories> {
  const found = name === '' ? await findLatest(root) : await findNamed(name, root);
  if (found) {
    const record = await readRunRecord(found.run.modelDirectory);
    printNotice(`Run ${found.run.name}, ${found.why}. It was trained ${describeTeacher(teacherOf(record))}.`);
    show(fileLinks(join(found.run.modelDirectory, LOG_FILE)));
    return found.run;
  }
  printNotice(
    'There is no run with a checkpoint and pairs yet: a tiny one, by the reward even-token, is made.',
  );
  const run = await openRun(parseParameters({ ...presets['even-token'], ...TINY }), { root, device });
  await run.iterate();
  return findRunDirectories(run.outputDirectory);
}

/** @param reward undefined of a run that trained on pairs which no reward made */
function describeTeacher(reward: string | undefined): string {
  if (reward === undefined) return `${taughtBy(undefined)}: to score it, name a reward`;
  const own = isOpenedByItsName(reward) ? '' : ', a person’s own: to score by it, give its file or address';
  return `${taughtBy(reward)}${own}`;
}

interface FoundRun {
  run: RunDirectories;
  why: string;
}

async function findNamed(name: string, root: string): Promise<FoundRun> {
  const run = locateRun(runPath(name, root));
  if (isUsable(run)) return { run, why: 'the one that was asked for' };
  const usable = listRuns(root).filter(isUsable);
  const others = usable.length > 0 ? usable.map((each) => each.name).join(', ') : 'no run there';
  throw new Error(`run ${name} has no checkpoint iter_0 and pairs yet; those that have: ${others}`);
}

async function findLatest(root: string): Promise<FoundRun | undefined> {
  const runs = listRuns(root).filter(isUsable);
  const changed = await Promise.all(runs.map(async (run) => (await stat(run.modelDirectory)).mtimeMs));
  const run = runs[changed.indexOf(Math.max(...changed))] as RunDirectories | undefined;
  const why = `${runs.length === 1 ? 'the only run' : `the latest of ${runs.length} runs`} with a checkpoint and pairs`;
  return run && { run, why };
}

function isUsable(directories: RunDirectories): boolean {
  const files = [checkpointIn(directories, 0), join(directories.outputDirectory, 'data_iter_0.json')];
  return files.every((file) => existsSync(file));
}

/** Whether a run's reward, or all that it combines, can be had without what a person gave. */
const isOpenedByItsName = (reward: string): boolean => partNames(reward).every(isNameEnough);

/**
 * Scores a checkpoint's samples on held-out prompts, with live progress, and says where the result was written, and where the reward is
 * another one than the checkpoint was trained by.
 *
 * @param settings `reward`: one of your own, or as the command line takes it: a built-in one's name, a file, an address, several with commas;
 *   "" for the one that the checkpoint's run was trained by; `indices` as people write them: "0-9"; `device`: "auto" unless it is given, as in
 *   `chooseDevice`; `workers`, `allowMixed` and `serveAt` as in `openRun`
 * @returns the evaluation's events
 * @throws Error in one sentence where none is given, and the run was trained by a reward of a person's own or by none
 */
export async function scoreCheckpoint(
  path: string,
  settings: {
    reward: string | Reward;
    indices: string;
    samples: number;
    device?: DeviceChoice;
  } & Pick<LiveRunOptions, 'workers' | 'allowMixed' | 'serveAt'>,
  root = '..',
): Promise<RunEvent[]> {
  const { indices, samples, workers, allowMixed, serveAt } = settings;
  const reward = typeof settings.reward === 'string' ? undefined : settings.reward;
  const source = typeof settings.reward === 'string' ? settings.reward : '';
  const { name, own: rewards } = source === '' ? { name: reward?.name, own: [] } : await loadRewards(source);
  const { parameters, ...checkpoint } = await checkpointParameters(
    path,
    name === undefined ? {} : { reward: name },
  );
  const { record } = checkpoint;
  const trainedBy = record && teacherOf(record);
  if (name === undefined && record && trainedBy === undefined)
    throw new Error(
      `${path} was trained on given pairs and has no reward: give the name of a built-in one as reward, for example mos, or one of your own`,
    );
  if (name === undefined && !isOpenedByItsName(parameters.reward))
    throw new Error(
      `${path} was trained by the reward ${parameters.reward}, a person's own: give its file or address as reward, or the name of a built-in one`,
    );
  if (trainedBy !== undefined && trainedBy !== parameters.reward)
    printNotice(
      `Its samples are scored by ${parameters.reward}, and run ${checkpoint.directories!.name} was trained by ${trainedBy}: these numbers are not what it was trained for.`,
    );
  const evaluation = {
    ...checkpoint,
    split: 'test' as const,
    indices: parseIndices(indices),
    samplesPerPrompt: samples,
    root,
    reward,
    rewards,
    ...workersFor({ workers, allowMixed, serveAt }),
  };
  let file = '';
  const evaluating = async function* (signal: AbortSignal) {
    await using chosen = await chooseDevice(settings.device ?? 'auto');
    const given = { ...evaluation, ...chosen, signal, onNotice: printNotice };
    file = yield* evaluateCheckpoint(parameters, given);
  };
  const events = await watch(evaluating, 'loading ...');
  show(fileLinks({ text: 'written:' }, file));
  const { directories, iteration } = checkpoint;
  const policy = directories ? `${directories.name}, ${policyName(iteration)}` : path;
  return events.map((event) => (event.type === 'evaluated' ? { ...event, policy } : event));
}

/**
 * The evaluations of two policies as those of an original and a trained one, for the tables and charts that compare these; they are called by
 * the names that {@link scoreCheckpoint} gave them.
 */
export function asBeforeAndAfter(before: readonly RunEvent[], after: readonly RunEvent[]): RunEvent[] {
  const relabel = (events: readonly RunEvent[], iteration: number) =>
    events.flatMap((event) => (event.type === 'evaluated' ? [{ ...event, iteration }] : []));
  return [...relabel(before, ORIGINAL), ...relabel(after, ORIGINAL + 1)];
}
