import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { findRunDirectories, type RunDirectories } from './directories.js';

/** A run's checkpoint: its folder, what iteration wrote it, and where that run keeps its files. */
export interface RunCheckpoint {
  /** The Hugging Face folder, `model_output/{name}/iter_{k}/dpo_model`. */
  policy: string;
  iteration: number;
  directories: RunDirectories;
}

/** Whether a path is `model_output/{name}/iter_{k}` or the dpo_model in it. */
export function isRunCheckpoint(path: string): boolean {
  return /^iter_\d+$/.test(basename(iterationFolder(path)));
}

/**
 * Finds the checkpoint that a path means: `model_output/{name}/iter_{k}`, or the `dpo_model` in it.
 *
 * @throws Error saying what a checkpoint's path looks like, or that there is none
 */
export function findCheckpoint(path: string): RunCheckpoint {
  const folder = iterationFolder(path);
  const policy = join(folder, 'dpo_model');
  if (!isRunCheckpoint(path) || !existsSync(policy)) {
    throw new Error(`${path} is no run's checkpoint, such as model_output/0601-1200/iter_2`);
  }
  const iteration = Number(basename(folder).slice('iter_'.length));
  return { policy, iteration, directories: findRunDirectories(dirname(folder)) };
}

function iterationFolder(path: string): string {
  return basename(path) === 'dpo_model' ? dirname(resolve(path)) : resolve(path);
}

/**
 * Indices as people write them: "0-9", "3", "0-4,7".
 *
 * @throws Error quoting the part that is neither a number nor a range
 */
export function parseIndices(text: string): number[] {
  const indices = text.split(',').flatMap((part) => {
    const [, from, to = from] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    if (from === undefined || Number(to) < Number(from)) {
      throw new Error(`"${part}" is neither an index nor a range of them: write "0-9", "3" or "0-4,7"`);
    }
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i);
  });
  return [...new Set(indices)];
}
