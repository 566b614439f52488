import { join } from 'node:path';
import { z } from 'zod';
import { exists } from './files.js';
import { readJsonFile } from './json-file.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { readSafetensors } from './safetensors.js';
import { asStateDict, readTorchFile } from './torch-file.js';

type HostTensors = Map<string, HostTensor>;

/** What weights may be stored in, the preferred first; `index` lists the shards of a file that was too large for one. */
const formatsOf = (safetensors: string, torch: string) => [
  { file: safetensors, index: `${safetensors}.index.json`, read: readSafetensors },
  { file: torch, index: `${torch}.index.json`, read: readStateDict },
];

const MODEL_FORMATS = formatsOf('model.safetensors', 'pytorch_model.bin');

/** What PEFT stores an adapter in. */
export const ADAPTER_FORMATS = formatsOf('adapter_model.safetensors', 'adapter_model.bin');

/**
 * All tensors of a Hugging Face folder: model.safetensors or pytorch_model.bin, whole or in shards. float16 and bfloat16 are widened
 * to float32.
 *
 * @param formats default: those of a whole network
 * @throws one sentence naming the file that is missing or damaged
 */
export async function readTensorFiles(directory: string, formats = MODEL_FORMATS): Promise<HostTensors> {
  for (const { file, index, read } of formats) {
    if (await exists(join(directory, file))) return read(join(directory, file));
    if (await exists(join(directory, index))) return readShards(directory, index, read);
  }
  const files = formats.map(({ file }) => file).join(' nor ');
  throw new Error(`${directory} has no weights: neither ${files}.`);
}

/** The weight files of a folder, given the names of all its files: those that `readTensorFiles` would read. */
export function chooseWeightFiles(names: readonly string[], formats = MODEL_FORMATS): string[] {
  for (const { file, index } of formats) {
    if (names.includes(file)) return [file];
    if (!names.includes(index)) continue;
    const [stem, extension] = splitName(file);
    const isShard = (name: string) => name.startsWith(`${stem}-`) && name.endsWith(extension);
    return [index, ...names.filter((name) => isShard(name) && !name.includes('/'))];
  }
  return [];
}

function splitName(file: string): [string, string] {
  const dot = file.lastIndexOf('.');
  return [file.slice(0, dot), file.slice(dot)];
}

async function readStateDict(path: string): Promise<HostTensors> {
  return asStateDict(await readTorchFile(path), path);
}

const indexSchema = z.object({
  // Shards lie beside their index; a path could lead anywhere.
  weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+$/)),
});

/**
 * Which file each tensor of a model in shards is in, by their names.
 * @throws Error naming the index where it is none
 */
export async function readIndex(index: string): Promise<Map<string, string>> {
  const content = indexSchema.safeParse(await readJsonFile(index));
  if (content.success) return new Map(Object.entries(content.data.weight_map));
  throw new Error(`${index}: weight_map must map tensor names to weight files of the same folder.`);
}

async function readShards(
  directory: string,
  indexName: string,
  read: (path: string) => Promise<HostTensors>,
): Promise<HostTensors> {
  const index = join(directory, indexName);
  const fileOf = await readIndex(index);
  const tensors: HostTensors = new Map();
  for (const file of new Set(fileOf.values())) {
    for (const [name, tensor] of await read(join(directory, file))) {
      if (fileOf.get(name) !== file) {
        throw new Error(
          `${join(directory, file)} holds tensor "${name}", which ${index} does not place there.`,
        );
      }
      tensors.set(name, tensor);
    }
  }
  for (const [name, file] of fileOf) {
    if (!tensors.has(name))
      throw new Error(`${join(directory, file)} lacks tensor "${name}", which ${index} places there.`);
  }
  return tensors;
}
