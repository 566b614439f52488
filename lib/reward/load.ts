/** A reward of a person's own, from where a command line names it. */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { quoteForShell } from '../command-text.js';
import { compiledModule } from '../engine/index.js';
import { hashFile } from '../checkpoint/atomic.js';
import { isPlainError } from '../plain-error.js';
import { isNameEnough, noSuchReward } from './built-in.js';
import { checkReward } from './check.js';
import { joinNames } from './combination.js';
import { rewardAt } from './from-address.js';
import type { Reward } from './reward.js';

/** By the rewards that were loaded: the SHA-256 of the file or of the address. */
const origins = new WeakMap<Reward, string>();

/**
 * By what a reward that was loaded is known elsewhere: the SHA-256 of its file, or of its address. What a file imports is not in it. Undefined for a
 * reward that was made in this process.
 */
export function originOf(reward: Reward): string | undefined {
  return origins.get(reward);
}

/**
 * Loads a reward.
 *
 * @param source an address (http://... or https://..., perhaps with NAME= before it), or a module (.mjs, .js or .ts) whose default export is a
 *   {@link Reward}
 * @throws Error in one sentence when there is none, or it is no reward
 */
export async function loadReward(source: string): Promise<Reward> {
  const [, name, address] = /^(?:([\w.-]+)=)?(https?:.*)$/i.exec(source) ?? [];
  if (address !== undefined) {
    const reward = await rewardAt(address, name);
    origins.set(reward, createHash('sha256').update(source).digest('hex'));
    return reward;
  }
  const path = resolve(source);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    if (/[/\\]|\.\w+$/.test(source)) throw new Error(`there is no file ${source} to load a reward from.`);
    throw new Error(`${noSuchReward(source)}.`);
  }
  const module = await importModule(path, source);
  if (!('default' in module))
    throw new Error(`${source} has no default export: write "export default" before the reward.`);
  const reward = checkReward(module.default, `the default export of ${source}`);
  origins.set(reward, await hashFile(path));
  return reward;
}

/**
 * Loads what a command line names as its reward: one, or several with commas between them, each a built-in one's name, a file or an address.
 *
 * @returns their names with + between them, and those that are a person's own
 * @throws Error as {@link loadReward}
 */
export async function loadRewards(source: string): Promise<{ name: string; own: Reward[] }> {
  const names: string[] = [];
  const own: Reward[] = [];
  for (const each of rewardSources(source)) {
    const reward = isNameEnough(each) ? undefined : await loadReward(each);
    if (reward) own.push(reward);
    names.push(reward?.name ?? each);
  }
  return { name: joinNames(names), own };
}

/** The rewards that a command line names: one, or several with commas between them. */
export function rewardSources(source: string): string[] {
  // A file's name may have a comma in it.
  return existsSync(resolve(source)) ? [source] : source.split(',').map((each) => each.trim());
}

/** Addresses of the modules that were loaded. */
const modules: string[] = [];

/** Whether a line of a stack is in a module that a reward was loaded from. */
export const isInRewardModule = (line: string): boolean => modules.some((each) => line.includes(each));

let isRegistered = false;

function registerHooks(): void {
  if (!isRegistered) register(compiledModule('./module-hooks.js', import.meta.url));
  isRegistered = true;
}

async function importModule(path: string, source: string): Promise<object> {
  try {
    registerHooks();
    const { href } = pathToFileURL(path);
    const module = (await import(href)) as object;
    modules.push(href);
    return module;
  } catch (error) {
    const isUnread = (error as Partial<NodeJS.ErrnoException> | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION';
    const reason = isUnread
      ? `Node.js ${process.versions.node} does not read such a file; write the reward as .mjs, or name the address of a server that scores, in any language`
      : describeFailure(error, source);
    throw new Error(`${source} cannot be loaded: ${reason}`, { cause: error });
  }
}

/** What a module threw as it was loaded, and where. Node.js shows the line of a mistake in the syntax only where it runs the file itself. */
function describeFailure(error: unknown, source: string): string {
  if (!(error instanceof Error)) return String(error);
  const { message, stack = '' } = error;
  const place = isPlainError(error) ? undefined : /^(?:file:| +at .*file:).*$/m.exec(stack)?.[0].trim();
  const isOfModule = place !== undefined && !place.includes(import.meta.url);
  if (isOfModule) return `${message} (${place})`;
  return error instanceof SyntaxError
    ? `${message}; ${['node', source].map(quoteForShell).join(' ')} shows the line`
    : message;
}
