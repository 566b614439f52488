import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloaded weights are kept: speech-dpo's folder in the user's cache. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'speech-dpo');
}

/**
 * The path of NISQA's weights: the one given, else the environment's NISQA_WEIGHTS, else nisqa.tar in the user's cache.
 *
 * @throws Error when the file asked for does not exist, or none is asked for and the cache has none
 */
export async function findNisqaWeights(explicit?: string): Promise<string> {
  const asked = explicit ?? process.env.NISQA_WEIGHTS;
  const cached = join(cacheFolder(), 'nisqa.tar');
  const path = asked || cached;
  if (await exists(path)) return path;
  if (asked) {
    const source = explicit ? 'the path given' : 'the environment variable NISQA_WEIGHTS';
    throw new Error(`NISQA weights not found: ${source} is ${asked}, which cannot be read`);
  }
  throw new Error(
    'NISQA weights not found. Provide nisqa.tar (from the weights folder of github.com/gabrielmittag/NISQA, CC BY-NC-SA 4.0) in one of ' +
      `three ways: pass its path, set the environment variable NISQA_WEIGHTS to it, or put it at ${cached}`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
