/** Networks as Hugging Face folders. */
import { join } from 'node:path';
import { exists, isFolder } from '../checkpoint/files.js';
import { readWeights, writePretrained, type FolderOptions } from '../checkpoint/pretrained.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { findBase, isAdapterFolder, readAdapter, type BaseOptions } from './adapter-folder.js';
import type { Architecture, Model, ModelConfig } from './architecture.js';
import { ARCHITECTURES, readModelConfig } from './architectures.js';

/**
 * Reads a Hugging Face folder: config.json and the weights, as safetensors or pytorch_model.bin, whole or in shards; or PEFT's folder of an
 * adapter, with the model that it names.
 *
 * @param known the architectures it may be of
 * @throws one sentence naming the file and tensor when anything is missing, unexpected, of another shape or not finite.
 */
export async function loadPretrained<Config extends ModelConfig = ModelConfig>(
  directory: string,
  known: readonly Architecture<Config>[] = ARCHITECTURES as readonly Architecture<Config>[],
  options: BaseOptions = {},
): Promise<Model<Config>> {
  if (!(await isFolder(directory))) {
    const titles = known.map(({ title }) => title).join(' or ');
    const what = (await exists(directory)) ? 'is no folder' : 'does not exist';
    throw new Error(`${directory} ${what}: give the folder of a ${titles} checkpoint.`);
  }
  if (await isAdapterFolder(directory)) {
    const base = await loadPretrained(await findBase(directory, options), known);
    return readAdapter(directory, base);
  }
  const { architecture, config } = await readModelConfig(join(directory, 'config.json'), known);
  const weights = await readWeights(
    directory,
    rulesOf(architecture, config),
    (tensors) => architecture.fromFile?.(tensors, config, directory) ?? tensors,
  );
  return { architecture, config, weights };
}

interface SavedWeights {
  weights: ReadonlyMap<string, HostTensor>;
}

/**
 * Writes a Hugging Face folder that transformers' `from_pretrained` opens, with a manifest (SHA256SUMS); it appears complete or not at
 * all.
 *
 * @throws when a file cannot be written, or `directory` holds files that are no checkpoint's; an old checkpoint gives way
 */
export async function savePretrained(
  directory: string,
  { architecture, config, ...others }: Omit<Model, 'weights'> & SavedWeights & FolderOptions,
): Promise<void> {
  await writePretrained(directory, { config, rules: rulesOf(architecture, config), ...others });
}

const rulesOf = <Config extends ModelConfig>(architecture: Architecture<Config>, config: Config) => ({
  shapes: architecture.weightShapes(config),
  title: architecture.title,
});
