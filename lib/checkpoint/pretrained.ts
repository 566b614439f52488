import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDirectoryAtomic, writeFileAtomic } from './atomic.js';
import { floatsOf, readBartConfig } from './bart-config.js';
import type { BartConfig } from './bart-config.js';
import { bartWeightShapes, LOGITS_BIAS, SHARED_EMBEDDING, SHARED_EMBEDDING_ALIASES } from './bart-weights.js';
import { writeChecksums } from './checksums.js';
import { configJson } from './config-json.js';
import { exists, makeFolder } from './files.js';
import { TOKENIZER_FILES } from './model-files.js';
import { writeSafetensors } from './safetensors.js';
import type { FloatTensor, HostTensor } from '../engine/host-tensor.js';
import { readTensorFiles } from './tensor-files.js';

/** The weights of a BART by transformers' names, in the order of `bartWeightShapes`. */
export type BartWeights = Map<string, FloatTensor>;

const MODEL_FILES =
  /^SHA256SUMS$|^README\.md$|^(generation_)?config\.json$|^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$/;

/**
 * Reads a Hugging Face folder of a BART: config.json and the weights, as safetensors or pytorch_model.bin, whole or in shards.
 * Tied copies of the embedding are checked and dropped; a missing final_logits_bias is zeros, as in transformers.
 * @throws one sentence naming the file and tensor when anything is missing, unexpected, of another shape or not finite.
 */
export async function loadPretrained(
  directory: string,
): Promise<{ config: BartConfig; weights: BartWeights }> {
  if (!(await exists(directory)))
    throw new Error(`${directory} does not exist: give the folder of a BART checkpoint.`);
  const config = await readBartConfig(join(directory, 'config.json'));
  const tensors = untieEmbeddings(withModelPrefix(await readTensorFiles(directory)), directory);
  if (!tensors.has(LOGITS_BIAS)) {
    tensors.set(LOGITS_BIAS, {
      shape: [1, config.vocab_size],
      dtype: 'float32',
      data: new Float32Array(config.vocab_size),
    });
  }
  return { config, weights: selectWeights(tensors, config, directory) };
}

/**
 * Writes a Hugging Face folder that transformers' `BartForConditionalGeneration.from_pretrained` opens, with a manifest
 * (SHA256SUMS); it appears complete or not at all.
 * @param options.generationConfig content of generation_config.json; by default what transformers derives from `config`.
 * @param options.dtype how weights are stored, default float32.
 * @param options.copyTokenizerFrom a folder whose tokenizer files come along.
 * @throws when a file cannot be written, or `directory` holds files that are no checkpoint's; an old checkpoint gives way.
 */
export async function savePretrained(
  directory: string,
  options: {
    config: BartConfig;
    weights: Map<string, HostTensor>;
    generationConfig?: Record<string, unknown>;
    dtype?: 'float32' | 'float16';
    copyTokenizerFrom?: string;
  },
): Promise<void> {
  const { dtype = 'float32' } = options;
  await refuseForeignFiles(directory);
  const weights = selectWeights(options.weights, options.config, directory);
  // transformers reads torch_dtype up to 4.55, and dtype, where there is one, from then on.
  const config = { ...options.config, dtype, torch_dtype: dtype };
  const generationConfig = options.generationConfig ?? defaultGenerationConfig(config);
  await writeDirectoryAtomic(
    directory,
    async (temporary) => {
      const checksums = new Map<string, string>();
      for (const [name, content] of [
        ['config.json', configJson(config, floatsOf(options.config))],
        ['generation_config.json', configJson(generationConfig)],
      ] as const) {
        checksums.set(name, await writeFileAtomic(join(temporary, name), content));
      }
      const file = 'model.safetensors';
      // transformers refuses a file without this format entry.
      const metadata = { format: 'pt' };
      checksums.set(file, await writeSafetensors(join(temporary, file), weights, { dtype, metadata }));
      if (options.copyTokenizerFrom !== undefined) {
        for (const [name, checksum] of await copyTokenizer(options.copyTokenizerFrom, temporary))
          checksums.set(name, checksum);
      }
      await writeChecksums(temporary, checksums);
    },
    { replace: true },
  );
}

/** Replacing a folder removes what is in it: only what a checkpoint consists of may be lost. */
async function refuseForeignFiles(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const foreign = names.find((name) => !TOKENIZER_FILES.includes(name) && !MODEL_FILES.test(name));
  if (foreign !== undefined) {
    throw new Error(
      `cannot write to ${directory}: it holds ${foreign}, no file of a checkpoint; choose another with --output.`,
    );
  }
}

/** Copies the tokenizer's files of a Hugging Face folder to another folder; returns their SHA-256 by name. */
export async function copyTokenizer(from: string, to: string): Promise<Map<string, string>> {
  const found = await Promise.all(['tokenizer.json', 'vocab.json'].map((name) => exists(join(from, name))));
  if (!found.includes(true)) throw new Error(`${from} has no tokenizer.json to copy.`);
  await makeFolder(to);
  const checksums = new Map<string, string>();
  for (const name of TOKENIZER_FILES) {
    if (!(await exists(join(from, name)))) continue;
    // Not copyFile, which would carry over a read-only mode.
    checksums.set(name, await writeFileAtomic(join(to, name), await readFile(join(from, name))));
  }
  return checksums;
}

/** Files of the bare `BartModel` name their tensors without "model."; transformers adds it on loading. */
function withModelPrefix(tensors: Map<string, HostTensor>): Map<string, HostTensor> {
  if ([...tensors.keys()].some((name) => name.startsWith('model.'))) return tensors;
  return new Map(
    [...tensors].map(([name, tensor]) => [
      /^(shared|encoder|decoder)\./.test(name) ? `model.${name}` : name,
      tensor,
    ]),
  );
}

function untieEmbeddings(tensors: Map<string, HostTensor>, directory: string): Map<string, HostTensor> {
  const untied = new Map(tensors);
  for (const alias of SHARED_EMBEDDING_ALIASES) {
    const copy = tensors.get(alias);
    if (!copy) continue;
    const shared = untied.get(SHARED_EMBEDDING);
    if (shared && !sameTensor(shared, copy)) {
      throw new Error(
        `${directory}: ${alias} differs from the embedding it is tied to; speech-dpo computes BART with one shared embedding.`,
      );
    }
    untied.set(SHARED_EMBEDDING, copy);
    untied.delete(alias);
  }
  return untied;
}

function sameTensor(a: HostTensor, b: HostTensor): boolean {
  const bytes = ({ data }: HostTensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return a.dtype === b.dtype && String(a.shape) === String(b.shape) && bytes(a).equals(bytes(b));
}

/** The tensors that `config` asks for, in order; the error names the first that is missing, unexpected, misshapen or not finite. */
function selectWeights(tensors: Map<string, HostTensor>, config: BartConfig, directory: string): BartWeights {
  const shapes = bartWeightShapes(config);
  const unexpected = [...tensors.keys()].filter((name) => !shapes.has(name));
  const weights: BartWeights = new Map();
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name);
    if (!tensor)
      throw new Error(`${directory}: the weights lack tensor "${name}" of shape [${shape.join(', ')}].`);
    if (tensor.dtype !== 'float32')
      throw new Error(`${directory}: tensor "${name}" holds integers instead of floats.`);
    if (String(tensor.shape) !== String(shape)) {
      throw new Error(
        `${directory}: tensor "${name}" has shape [${tensor.shape.join(', ')}], config.json asks for [${shape.join(', ')}].`,
      );
    }
    const wrong = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0)
      throw new Error(`${directory}: tensor "${name}" holds ${tensor.data[wrong]} at index ${wrong}.`);
    weights.set(name, tensor);
  }
  if (unexpected.length > 0) {
    const others = unexpected.length > 1 ? ` and ${unexpected.length - 1} more` : '';
    throw new Error(
      `${directory}: tensor "${unexpected[0]}"${others} is not part of the BART that config.json describes.`,
    );
  }
  return weights;
}

function defaultGenerationConfig(config: BartConfig): Record<string, unknown> {
  const keys = ['bos_token_id', 'pad_token_id', 'eos_token_id', 'decoder_start_token_id'] as const;
  const forced = (['forced_bos_token_id', 'forced_eos_token_id'] as const).filter(
    (key) => config[key] != null,
  );
  return Object.fromEntries([
    ['_from_model_config', true],
    ...[...keys, ...forced].map((key) => [key, config[key]]),
  ]);
}
