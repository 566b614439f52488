/** Finds the run that a person names, whichever of its folders, or of its checkpoints', they name it by. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { cannotRead } from '../checkpoint/files.js';
import {
  CHECKPOINT,
  findRunDirectories,
  MODEL_OUTPUT,
  OUTPUT,
  RUN_FILE,
  type RunDirectories,
} from './directories.js';

/** As `createRunDirectories` names runs. */
const RUN_NAME = /^\d{4}-\d{4}(-\d+)?$/;
/** A longer list of runs is no help. */
const MOST_LISTED = 10;

/**
 * Finds a run by its name (`0601-1200`: under output/ and model_output/ of the working directory; `folder/0601-1200`: under those of
 * `folder`), by `output/{name}` or `model_output/{name}`, or by a checkpoint of it, `iter_{k}` or `iter_{k}/dpo_model` after any of these.
 *
 * @throws Error in one sentence that says which file was looked for, and which runs there are
 */
export function locateRun(given: string): RunDirectories {
  const { places } = placesOf(given);
  const directories = places.find(isRun);
  if (!directories) throw new Error(describeMissing(given, places));
  return directories;
}

/** What a person may mean. */
interface Places {
  /** The runs, the likeliest first. */
  places: RunDirectories[];
  /** Where they name a checkpoint: its `iter_{k}` as they wrote it, and k. */
  folder: string;
  iteration?: number;
}

/** Takes apart what a person named; nothing of it needs to be there. */
export function placesOf(given: string): Places {
  const whole = resolve(given);
  const folder = basename(whole) === CHECKPOINT ? dirname(whole) : whole;
  const k = /^iter_(\d+)$/.exec(basename(folder))?.[1];
  const run = k === undefined ? whole : dirname(folder);
  const named = findRunDirectories(join(dirname(run), OUTPUT, basename(run)));
  const places = isUnderOutputs(run) ? [findRunDirectories(run), named] : [named];
  return { places, folder, ...(k !== undefined && { iteration: Number(k) }) };
}

/** Whether a path that is none of a run's can only have been meant as one. */
export function looksLikeRun(given: string): boolean {
  return isUnderOutputs(resolve(given)) || RUN_NAME.test(basename(resolve(given)));
}

/**
 * The runs that a folder has under model_output/, by their names.
 *
 * @throws Error in one sentence where there is a model_output that cannot be read
 */
export function listRuns(root: string): RunDirectories[] {
  const folder = join(resolve(root), MODEL_OUTPUT);
  // Editors keep hidden copies of folders beside them.
  return namesIn(folder)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => findRunDirectories(join(folder, name)))
    .filter(isRun);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    return cannotRead(folder)(error as NodeJS.ErrnoException);
  }
}

/** Also where that cannot be seen: who then reads the run is told why. */
function isRun({ modelDirectory }: RunDirectories): boolean {
  try {
    return statSync(join(modelDirectory, RUN_FILE), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function isUnderOutputs(path: string): boolean {
  return [OUTPUT, MODEL_OUTPUT].includes(basename(dirname(path)));
}

/** "there is no run 0601-1200: .../model_output/0601-1200/run.json does not exist; the runs here are 0601-1201, 0601-1300" */
export function describeMissing(given: string, [place]: readonly RunDirectories[]): string {
  const root = dirname(dirname(place.modelDirectory));
  const names = listRuns(root).map(({ name }) => name);
  const earlier = names.length > MOST_LISTED ? `${names.length - MOST_LISTED} earlier ones, ` : '';
  const where = relative(process.cwd(), root) === '' ? 'here' : `in ${root}`;
  const elsewhere = dirname(given) === '.' ? `; write FOLDER/${given} for a run below another folder` : '';
  const others =
    names.length === 0
      ? `there are no runs ${where}`
      : `the runs ${where} are ${earlier}${names.slice(-MOST_LISTED).join(', ')}`;
  return `there is no run ${given}: ${join(place.modelDirectory, RUN_FILE)} does not exist; ${others}${elsewhere}`;
}
