import { join, resolve } from 'node:path';
import { writeDirectoryAtomic, writeFileAtomic } from './atomic.js';
import { writeChecksums } from './checksums.js';
import { configJson, floatsOf } from './config-json.js';
import { exists, locateInside, makeFolder, namesIn, readWhole } from './files.js';
import { indexOfNotFinite } from '../finite.js';
import { TOKENIZER_FILES } from './model-files.js';
import { writeSafetensors } from './safetensors.js';
import type { FloatTensor, HostTensor } from '../engine/host-tensor.js';
import { readTensorFiles } from './tensor-files.js';
import { ELSEWHERE } from './write-error.js';

/** What a network's tensors must be. */
export interface WeightRules {
  /** Names and shapes, in the order in which they are written. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** The network's name, for messages: "BART" */
  title: string;
  /** The file that asks for these shapes, for messages; default config.json. */
  config?: string;
}

type HostTensors = ReadonlyMap<string, HostTensor>;

const MODEL_FILES =
  /^SHA256SUMS$|^(generation_)?config\.json$|^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$|^adapter_config\.json$|^adapter_model\.safetensors$/;

/**
 * The weights of a Hugging Face folder, as safetensors or pytorch_model.bin, whole or in shards.
 *
 * @param fromFile gives the tensors of the files the names of `shapes`; default: they have them
 * @throws one sentence naming the file and tensor when anything is missing, unexpected, of another shape or not finite
 */
export async function readWeights(
  directory: string,
  rules: WeightRules,
  fromFile: (tensors: HostTensors) => HostTensors = (tensors) => tensors,
): Promise<Map<string, FloatTensor>> {
  return selectWeights(fromFile(await readTensorFiles(directory)), rules, directory);
}

export interface FolderOptions {
  /** Content of generation_config.json; by default what transformers derives from the configuration. */
  generationConfig?: Record<string, unknown>;
  /** How weights are stored, default float32. */
  dtype?: 'float32' | 'float16';
  /** A folder whose tokenizer files come along. */
  copyTokenizerFrom?: string;
}

/**
 * Writes a Hugging Face folder that transformers' `from_pretrained` opens, with a manifest (SHA256SUMS); it appears complete or not at
 * all.
 *
 * @throws when a file cannot be written, or `directory` holds files that are no checkpoint's; an old checkpoint gives way
 */
export async function writePretrained(
  directory: string,
  options: FolderOptions & {
    config: Readonly<Record<string, unknown>>;
    weights: HostTensors;
    rules: WeightRules;
  },
): Promise<void> {
  const { dtype = 'float32' } = options;
  const weights = selectWeights(options.weights, options.rules, directory);
  // transformers reads torch_dtype up to 4.55, and dtype, where there is one, from then on.
  const config = { ...options.config, dtype, torch_dtype: dtype };
  const generationConfig = options.generationConfig ?? defaultGenerationConfig(config);
  await writeModelFolder(directory, options.copyTokenizerFrom, async (temporary, checksums) => {
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
  });
}

/**
 * Writes a folder with a manifest (SHA256SUMS), complete or not at all.
 *
 * @param copyTokenizerFrom a folder whose tokenizer files come along
 * @param write writes the other files, and sets their SHA-256 by name
 * @throws as `writePretrained` does
 */
export async function writeModelFolder(
  directory: string,
  copyTokenizerFrom: string | undefined,
  write: (temporary: string, checksums: Map<string, string>) => Promise<void>,
): Promise<void> {
  if (directory === '') throw new Error('the folder to write has an empty name: give it one.');
  // One place for what is looked at and what is replaced: "missing/.." is none to `namesIn`, and a folder to `resolve`.
  const target = resolve(directory);
  await refuseForeignFiles(target);
  await writeDirectoryAtomic(
    target,
    async (temporary) => {
      const checksums = new Map<string, string>();
      await write(temporary, checksums);
      if (copyTokenizerFrom !== undefined) {
        for (const [name, checksum] of await copyTokenizer(copyTokenizerFrom, temporary))
          checksums.set(name, checksum);
      }
      await writeChecksums(temporary, checksums);
    },
    { replace: true },
  );
}

/** Replacing a folder removes what is in it: only what a checkpoint consists of may be lost. */
async function refuseForeignFiles(directory: string): Promise<void> {
  const names = await namesIn(directory);
  // A README.md alone may be of anything.
  const isModel = names.some((name) => name === 'config.json' || name === 'adapter_config.json');
  const isOwn = (name: string) => (name === 'README.md' ? isModel : MODEL_FILES.test(name));
  const foreign = names.find((name) => !TOKENIZER_FILES.includes(name) && !isOwn(name));
  if (foreign !== undefined) {
    throw new Error(
      `cannot write to ${directory}: it holds ${foreign}, no file of a checkpoint; ${ELSEWHERE}.`,
    );
  }
}

/**
 * Copies the tokenizer's files of a Hugging Face folder to another folder; returns their SHA-256 by name.
 *
 * @throws Error in one sentence where there is none, one cannot be read, or is a link that leads out of the folder
 */
async function copyTokenizer(from: string, to: string): Promise<Map<string, string>> {
  const found = await Promise.all(['tokenizer.json', 'vocab.json'].map((name) => exists(join(from, name))));
  if (!found.includes(true)) throw new Error(`${from} has no tokenizer.json to copy.`);
  await makeFolder(to);
  const checksums = new Map<string, string>();
  for (const name of TOKENIZER_FILES) {
    if (!(await exists(join(from, name)))) continue;
    const path = await locateInside(from, name);
    // Not copyFile, which would carry over a read-only mode.
    checksums.set(name, await writeFileAtomic(join(to, name), await readWhole(path)));
  }
  return checksums;
}

/** The tensors of `shapes`, in order. @throws Error naming the first that is missing, unexpected, misshapen or not finite */
export function selectWeights(
  tensors: HostTensors,
  { shapes, title, config = 'config.json' }: WeightRules,
  directory: string,
): Map<string, FloatTensor> {
  const unexpected = [...tensors.keys()].filter((name) => !shapes.has(name));
  const weights = new Map<string, FloatTensor>();
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name);
    if (!tensor)
      throw new Error(`${directory}: the weights lack tensor "${name}" of shape [${shape.join(', ')}].`);
    if (tensor.dtype !== 'float32')
      throw new Error(`${directory}: tensor "${name}" holds integers instead of floats.`);
    if (String(tensor.shape) !== String(shape)) {
      throw new Error(
        `${directory}: tensor "${name}" has shape [${tensor.shape.join(', ')}], ${config} asks for [${shape.join(', ')}].`,
      );
    }
    const wrong = indexOfNotFinite(tensor.data);
    if (wrong >= 0)
      throw new Error(`${directory}: tensor "${name}" holds ${tensor.data[wrong]} at index ${wrong}.`);
    weights.set(name, tensor);
  }
  if (unexpected.length > 0) {
    const others = unexpected.length > 1 ? ` and ${unexpected.length - 1} more` : '';
    throw new Error(
      `${directory}: tensor "${unexpected[0]}"${others} is not part of the ${title} that ${config} describes.`,
    );
  }
  return weights;
}

/** Ids that generation_config.json repeats. */
const GENERATION_IDS = [
  'bos_token_id',
  'pad_token_id',
  'eos_token_id',
  'decoder_start_token_id',
  'forced_bos_token_id',
  'forced_eos_token_id',
];

function defaultGenerationConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = GENERATION_IDS.filter((key) => config[key] != null);
  return { _from_model_config: true, ...Object.fromEntries(given.map((key) => [key, config[key]])) };
}
