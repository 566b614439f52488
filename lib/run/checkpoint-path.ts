import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  CHECKPOINT,
  checkpointIn,
  findRunDirectories,
  RUN_FILE,
  type RunDirectories,
} from './directories.js';
import { describeMissing, locateRun, looksLikeRun, placesOf } from './find-run.js';
import { recordOf, type RunRecord } from './run-files.js';

/** A run's checkpoint: its folder, what iteration wrote it, and where that run keeps its files. */
export interface RunCheckpoint {
  /** The Hugging Face folder, `model_output/{name}/iter_{k}/dpo_model`. */
  policy: string;
  iteration: number;
  directories: RunDirectories;
}

/**
 * The checkpoint that a person names by a run (`locateRun`; its last checkpoint) or by `iter_{k}` or `iter_{k}/dpo_model` of one.
 *
 * @returns undefined where the source names no run: a folder of another origin, a hub's name, "default"
 * @throws Error in one sentence where it can only be a run's, and there is no such checkpoint
 */
export function checkpointOf(source: string): RunCheckpoint | undefined {
  const { iteration, folder, places } = placesOf(source);
  const isPolicy = ['config.json', 'adapter_config.json'].some((file) => existsSync(join(source, file)));
  if (iteration !== undefined) {
    const policy = join(folder, CHECKPOINT);
    if (existsSync(policy)) return { policy, iteration, directories: findRunDirectories(dirname(folder)) };
    return isPolicy ? undefined : checkpointAt(source, iteration, places);
  }
  if (isPolicy) return undefined;
  const isRun = places.some(({ modelDirectory }) => existsSync(join(modelDirectory, RUN_FILE)));
  if (!isRun && !looksLikeRun(source)) return undefined;
  const directories = locateRun(source);
  const last = savedIterations(directories).at(-1);
  if (last === undefined)
    throw new Error(
      `run ${directories.name} has no checkpoint: ${directories.modelDirectory} holds no iter_k`,
    );
  return checkpointAt(source, last, [directories]);
}

/**
 * The checkpoint that a person names, as {@link checkpointOf}.
 *
 * @throws Error in one sentence when they name none
 */
export function findCheckpoint(source: string): RunCheckpoint {
  const checkpoint = checkpointOf(source);
  if (!checkpoint) throw new Error(`${source} is no run's checkpoint, such as model_output/0601-1200/iter_2`);
  return checkpoint;
}

/** The record of the run whose checkpoint a person names; undefined where it is no run's, or its run.json is not at hand. */
export async function checkpointRecord(source: string): Promise<RunRecord | undefined> {
  const checkpoint = checkpointOf(source);
  return checkpoint && recordOf(checkpoint.directories.modelDirectory);
}

/** The folder or hub name of a policy that a person names: of a run's checkpoint its dpo_model, else what they named. */
export function policySource(source: string): string {
  const policy = checkpointOf(source)?.policy;
  // What names the very folder stays as it was written.
  return policy === undefined || policy === resolve(source) ? source : policy;
}

/** The iterations whose checkpoint is on disk, in order. */
export function savedIterations({ modelDirectory }: RunDirectories): number[] {
  return readdirSync(modelDirectory)
    .flatMap((name) => /^iter_(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .filter((k) => existsSync(checkpointIn({ modelDirectory }, k)))
    .sort((a, b) => a - b);
}

function checkpointAt(source: string, iteration: number, places: readonly RunDirectories[]): RunCheckpoint {
  const policyIn = (place: RunDirectories) => checkpointIn(place, iteration);
  const directories = places.find((place) => existsSync(policyIn(place)));
  if (directories) return { policy: policyIn(directories), iteration, directories };
  const [missing] = places.map(policyIn);
  const run = places.find(({ modelDirectory }) => existsSync(modelDirectory));
  if (!run) throw new Error(`${source} is no run's checkpoint: ${describeMissing(source, places)}`);
  const saved = savedIterations(run).map((k) => `iter_${k}`);
  throw new Error(
    `${source} is no run's checkpoint: ${missing} does not exist; run ${run.name} has ${saved.length === 0 ? 'none' : saved.join(', ')}`,
  );
}

/** Far beyond any dataset of speech, and a list of as many takes little memory. */
const MOST_INDICES = 1_000_000;

/**
 * Indices as people write them: "0-9", "3", "0-4,7".
 *
 * @throws Error quoting the part that is neither a number nor a range, or a range of more than a million
 */
export function parseIndices(text: string): number[] {
  const indices = text.split(',').flatMap((part) => {
    const [, from, to = from] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    if (from === undefined || Number(to) < Number(from)) {
      throw new Error(`"${part}" is neither an index nor a range of them: write "0-9", "3" or "0-4,7"`);
    }
    if (Number(to) - Number(from) >= MOST_INDICES)
      throw new Error(`"${part}" is a range of more than ${MOST_INDICES} indices: write a shorter one`);
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i);
  });
  return [...new Set(indices)];
}
