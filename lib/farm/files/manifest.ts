/** What a model's folder consists of, by hash: what a run tells its workers of a model. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, posix, resolve, win32 } from 'node:path';
import { z } from 'zod';
import { chooseModelFiles } from '../../checkpoint/model-files.js';
import { readIndex } from '../../checkpoint/tensor-files.js';
import { contentOf } from './hashes.js';

/** More than any model has, and few enough for a record of the queue. */
const MOST_FILES = 256;

const NAME = /^\w[\w.-]{0,127}$/;

/** As hashes come from elsewhere. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal');

/** A path on the machine that has what it names, whichever system that runs. */
export const absolutePathSchema = z
  .string()
  .max(4096)
  .refine((path) => posix.isAbsolute(path) || win32.isAbsolute(path), 'must be an absolute path');

const fileSchema = z.strictObject({
  name: z.string().regex(NAME, 'must be a plain file name of letters, digits, ".", "-" and "_"'),
  bytes: z.int().min(0),
  sha256: sha256Schema,
});

/** A folder's manifest as it comes from elsewhere: its hash must be that of its files. */
export const folderManifestSchema = z
  .strictObject({
    hash: sha256Schema,
    path: absolutePathSchema,
    files: z.array(fileSchema).min(1).max(MOST_FILES),
  })
  .refine(({ files }) => new Set(files.map(({ name }) => name.toLowerCase())).size === files.length, {
    message: 'must name each file once',
    path: ['files'],
  })
  .refine(({ hash, files }) => hash === hashOfFiles(files), {
    message: 'must be the hash of the files',
    path: ['hash'],
  });

export interface FolderManifest {
  /** SHA-256 of the sorted lines "sha256  name": folders of equal files have equal hashes wherever they lie. */
  hash: string;
  /** Where the folder lies on the trainer's machine, absolute. */
  path: string;
  files: ManifestFile[];
}

export interface ManifestFile {
  name: string;
  bytes: number;
  sha256: string;
}

/**
 * Describes a folder by the files of it that are read. A file is hashed once, as long as it stays as it is.
 *
 * @param names default: the configuration, the tokenizer and the weights of a model's folder (policy, partner or codec)
 * @throws Error in one sentence when the folder holds no model, or a file is missing or has a name that a worker would refuse
 */
export async function describeFolder(directory: string, names?: readonly string[]): Promise<FolderManifest> {
  const path = resolve(directory);
  const chosen = [...new Set(names ?? (await filesOfModel(path)))].sort();
  const odd = chosen.find((name) => !NAME.test(name));
  if (odd !== undefined) {
    throw new Error(
      `${join(path, odd)}: workers take files whose names consist of letters, digits, ".", "-" and "_" alone; rename it.`,
    );
  }
  if (chosen.length > MOST_FILES)
    throw new Error(`${path} has ${chosen.length} files of a model; workers take ${MOST_FILES} at most.`);
  const files: ManifestFile[] = [];
  for (const name of chosen) files.push({ name, ...(await contentOf(join(path, name))) });
  return { hash: hashOfFiles(files), path, files };
}

async function filesOfModel(path: string): Promise<string[]> {
  const entries = await readdir(path).catch((error: unknown) => {
    throw new Error(`${path} is no folder that can be read.`, { cause: error });
  });
  const chosen = chooseModelFiles(entries);
  if (chosen.length === 0) {
    throw new Error(
      `${path} holds no model: config.json and model.safetensors or pytorch_model.bin must be there.`,
    );
  }
  // An index may give its shards any names.
  const index = chosen.find((name) => name.endsWith('.index.json'));
  return index === undefined ? chosen : [...chosen, ...(await readIndex(join(path, index))).values()];
}

export function hashOfFiles(files: readonly Pick<ManifestFile, 'name' | 'sha256'>[]): string {
  const lines = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}
