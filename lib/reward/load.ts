/** A reward of a person's own, from where a command line names it. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { noSuchReward } from './built-in.js';
import { checkReward } from './check.js';
import { rewardAt } from './from-address.js';
import type { Reward } from './reward.js';

/**
 * Loads a reward.
 *
 * @param source an address (http://... or https://...), or a module whose default export is a {@link Reward}: .mjs, .js, or .ts where Node.js
 *   reads TypeScript (22.18 and newer)
 * @throws Error in one sentence when there is none, or it is no reward
 */
export async function loadReward(source: string): Promise<Reward> {
  if (/^https?:/i.test(source)) return rewardAt(source);
  const path = resolve(source);
  if (!existsSync(path)) {
    if (/[/\\]|\.\w+$/.test(source)) throw new Error(`there is no file ${source} to load a reward from.`);
    throw new Error(`${noSuchReward(source)}.`);
  }
  const module = await importModule(path, source);
  if (!('default' in module))
    throw new Error(`${source} has no default export: write "export default" before the reward.`);
  return checkReward(module.default, `the default export of ${source}`);
}

async function importModule(path: string, source: string): Promise<object> {
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    const isUnread = (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION';
    const { message } = error instanceof Error ? error : { message: String(error) };
    const reason = isUnread
      ? `Node.js ${process.versions.node} does not read such a file; write the reward as .mjs`
      : message;
    throw new Error(`${source} cannot be loaded: ${reason}`, { cause: error });
  }
}
