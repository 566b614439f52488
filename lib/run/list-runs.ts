import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findRunDirectories, type RunDirectories } from './directories.js';

/** As many names as a sentence can bear. */
const SHOWN = 8;

/**
 * The runs whose folders lie beside one another, those changed last first.
 *
 * @param modelOutput the folder model_output/
 * @param isWanted tells runs from other folders; default: everything that has a run.json
 */
export async function listRuns(
  modelOutput: string,
  isWanted = ({ modelDirectory }: RunDirectories) => existsSync(join(modelDirectory, 'run.json')),
): Promise<RunDirectories[]> {
  // Editors keep hidden copies of folders beside them.
  const names = (await readdir(modelOutput).catch(() => [])).filter((name) => !name.startsWith('.'));
  const runs = names.map((name) => findRunDirectories(join(modelOutput, name))).filter(isWanted);
  const changed = await Promise.all(runs.map(async (run) => (await stat(run.modelDirectory)).mtimeMs));
  const order = runs.map((_, index) => index).sort((a, b) => changed[b] - changed[a]);
  return order.map((index) => runs[index]);
}

/** "there is no run 0601-1200 in model_output; there are 0601-1300, 0601-1100" */
export async function describeMissingRun({ name, modelDirectory }: RunDirectories): Promise<string> {
  const folder = dirname(modelDirectory);
  const names = (await listRuns(folder)).map((run) => basename(run.modelDirectory));
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} older ones` : '';
  const others =
    names.length === 0
      ? 'there is none yet'
      : `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, SHOWN).join(', ')}${more}`;
  return `there is no run ${name} in ${folder}; ${others}`;
}
