import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Weights that are not part of this package, and how a person provides them. */
export interface WeightsPlace {
  metric: string;
  /** Environment variable with a path. */
  variable: string;
  /** Name in speech-dpo's folder of the user's cache. */
  cached: string;
  /** What to provide and where it comes from, for the error message. */
  source: string;
}

/** speech-dpo's folder in the user's cache. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'speech-dpo');
}

/**
 * The path of a metric's weights: the one given, else the environment variable's, else the cache's.
 *
 * @throws Error when the one asked for does not exist, or none is asked for and the cache has none
 */
export async function findWeights(place: WeightsPlace, explicit?: string): Promise<string> {
  const { metric, variable, source } = place;
  const asked = explicit ?? process.env[variable];
  const cached = join(cacheFolder(), place.cached);
  const path = asked || cached;
  if (await exists(path)) return path;
  if (asked) {
    const where = explicit ? 'the path given' : `the environment variable ${variable}`;
    throw new Error(`${metric} weights not found: ${where} is ${asked}, which cannot be read`);
  }
  throw new Error(
    `${metric} weights not found. Provide ${source} in one of three ways: pass its path, set the environment variable ${variable} to it, or put it at ${cached}`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
