import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isOffline } from '../checkpoint/download.js';
import { pathFromEnvironment, userCache } from '../checkpoint/environment.js';
import { explainCacheError, systemErrorOf } from '../checkpoint/write-error.js';
import type { OnNotice } from '../notice.js';
import { sentenceOf } from '../plain-error.js';

/** Weights that are not part of this package, how a person provides them, and how they are downloaded. */
export interface WeightsPlace {
  metric: string;
  /** Environment variable with a path. */
  variable: string;
  /** Name in speech-dpo's folder of the user's cache. */
  cached: string;
  kind: 'file' | 'folder';
  /** What to provide and where it comes from, for messages. */
  source: string;
  /** What a person has to know before using them; shown when they are downloaded. */
  licence: string;
  /** Makes the file or folder at `path`, complete or not at all. */
  download: (path: string) => Promise<void>;
}

/** speech-dpo's folder in the user's cache. */
export function cacheFolder(): string {
  return join(userCache(), 'speech-dpo');
}

/**
 * Where a metric's weights are on this machine: at the path given, else at the environment variable's, else in the user's cache.
 *
 * @returns `isHere` false where the cache lacks them
 * @throws Error when the path asked for does not exist or is a folder where a file belongs, or the other way round
 */
export function locateWeights(place: WeightsPlace, explicit?: string): { path: string; isHere: boolean } {
  const { metric, variable, source } = place;
  const asked = explicit ?? pathFromEnvironment(variable);
  if (asked) {
    const where = explicit ? 'the path given' : `the environment variable ${variable}`;
    const found = statSync(asked, { throwIfNoEntry: false });
    if (!found) throw new Error(`${metric} weights not found: ${where} is ${asked}, which cannot be read`);
    const kind = found.isDirectory() ? 'folder' : 'file';
    if (kind === place.kind) return { path: asked, isHere: true };
    throw new Error(
      `${metric} weights not found: ${where} is ${asked}, which is a ${kind}; expected ${source}`,
    );
  }
  const path = join(cacheFolder(), place.cached);
  return { path, isHere: existsSync(path) };
}

/**
 * Finds a metric's weights as {@link locateWeights}. Where the cache lacks them they are downloaded first, and `onNotice` is told so, with
 * the licence.
 *
 * @throws Error as `locateWeights`, or when the weights cannot be downloaded: it says how else to provide them
 */
export async function findWeights(
  place: WeightsPlace,
  explicit?: string,
  onNotice?: OnNotice,
): Promise<string> {
  const { metric, variable, source, licence } = place;
  const { path: cached, isHere } = locateWeights(place, explicit);
  if (isHere) return cached;
  try {
    if (isOffline()) throw new Error('HF_HUB_OFFLINE is set');
    onNotice?.(`Downloading ${source} to ${cached}. ${licence}`);
    await place.download(cached);
    return cached;
  } catch (reason) {
    const error = explainCacheError(reason, dirname(cached), 'XDG_CACHE_HOME');
    const cause = systemErrorOf(reason) ?? reason;
    throw new Error(
      `${metric} weights not found, and not downloaded: ${sentenceOf(error).replace(/\.$/, '')}. Provide ${source} in one of three ways: pass its path, set the environment variable ${variable} to it, or put it at ${cached}`,
      { cause },
    );
  }
}

/** What messages call weights at `path`, or a file in them: with the environment variable where that led there. */
export function nameWeights({ variable }: WeightsPlace, path: string, explicit?: string): string {
  return !explicit && process.env[variable] ? `${path} (${variable} names it)` : path;
}
