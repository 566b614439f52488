import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseIndices } from '../run/checkpoint-path.js';
import { findRunDirectories, type RunDirectories } from '../run/directories.js';
import { checkpointParameters, evaluateCheckpoint } from '../jobs/evaluate-checkpoint.js';
import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import type { RewardName } from '../reward/built-in.js';
import type { Reward } from '../reward/reward.js';
import { parseParameters } from '../run/parameters.js';
import { presets } from '../run/presets.js';
import { openRun, workersFor, type LiveRunOptions } from './live-run.js';
import { policyName } from '../view/run-events.js';
import { watch } from './watch.js';
import { printNotice } from './notebook-kernel.js';

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
 * The run of that name, or the latest one that has pairs and a checkpoint; where there is none, a tiny even-token run is made.
 *
 * @param root folder with output/ and model_output/; default: the project, one folder above the notebooks
 * @param device where the tiny run computes; default: "auto" as in `chooseDevice`
 * @throws Error when there is no run of that name
 */
export async function findRun(name: string, root = '..', device?: DeviceChoice): Promise<RunDirectories> {
  if (name !== '') {
    const run = findRunDirectories(join(root, 'output', name));
    if (!isUsable(run)) throw new Error(`there is no run ${name} with a checkpoint and pairs under ${root}`);
    return run;
  }
  const folder = join(root, 'model_output');
  // Editors keep hidden copies of folders beside them.
  const names = (await readdir(folder).catch(() => [])).filter((each) => !each.startsWith('.'));
  const runs = names.map((each) => findRunDirectories(join(folder, each))).filter(isUsable);
  const changed = await Promise.all(runs.map(async (run) => (await stat(run.modelDirectory)).mtimeMs));
  const latest = changed.indexOf(Math.max(...changed));
  if (latest >= 0) return runs[latest];
  const run = await openRun(parseParameters({ ...presets['even-token'], ...TINY }), { root, device });
  await run.iterate();
  return findRunDirectories(run.outputDirectory);
}

function isUsable({ modelDirectory, outputDirectory }: RunDirectories): boolean {
  const files = [join(modelDirectory, 'iter_0', 'dpo_model'), join(outputDirectory, 'data_iter_0.json')];
  return files.every((file) => existsSync(file));
}

/**
 * Scores a checkpoint's samples on held-out prompts, with live progress, and says where the result was written.
 *
 * @param settings `reward`: a built-in one's name, or one of your own; `indices` as people write them: "0-9"; `device`: "auto" unless it is
 * given, as in `chooseDevice`; `workers`, `allowMixed` and `serveAt` as in `openRun`
 * @returns the evaluation's events
 */
export async function scoreCheckpoint(
  path: string,
  settings: { reward: RewardName | Reward; indices: string; samples: number; device?: DeviceChoice } & Pick<
    LiveRunOptions,
    'workers' | 'allowMixed' | 'serveAt'
  >,
  root = '..',
): Promise<RunEvent[]> {
  const { indices, samples, workers, allowMixed, serveAt } = settings;
  const reward = typeof settings.reward === 'string' ? undefined : settings.reward;
  const name = typeof settings.reward === 'string' ? settings.reward : settings.reward.name;
  const { parameters, ...checkpoint } = await checkpointParameters(path, { reward: name });
  const evaluation = {
    ...checkpoint,
    split: 'test' as const,
    indices: parseIndices(indices),
    samplesPerPrompt: samples,
    root,
    reward,
    ...workersFor({ workers, allowMixed, serveAt }),
  };
  let file = '';
  const evaluating = async function* (signal: AbortSignal) {
    await using chosen = await chooseDevice(settings.device ?? 'auto');
    const given = { ...evaluation, ...chosen, signal, onNotice: printNotice };
    file = yield* evaluateCheckpoint(parameters, given);
  };
  const events = await watch(evaluating, 'loading ...');
  process.stdout.write(`written: ${relative(process.cwd(), file)}\n`);
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
