/** A speech language model in memory: architecture, configuration, tokenizer, weights. */
import { join, resolve } from 'node:path';
import { exists } from '../checkpoint/files.js';
import { resolveModelPart } from '../package-root.js';
import { findBase, isAdapterFolder, readAdapter, writeAdapter, type BaseOptions } from './adapter-folder.js';
import type { Architecture, Model, ModelConfig } from './architecture.js';
import { loadPretrained, savePretrained } from './pretrained.js';
import { checkValues } from './resident-weights.js';
import { loadTokenizer, type SpeechTokenizer } from './tokenizer.js';

export interface Policy<Config extends ModelConfig = ModelConfig> extends Model<Config> {
  readonly tokenizer: SpeechTokenizer;
  /** The folder it was read from. */
  readonly directory: string;
  /** Where that is an adapter's: the folder of the model that it is an adapter of. */
  readonly baseDirectory?: string;
}

/** The codec a policy speaks where its config.json does not say (`codebooks`, `codebook_size`): EnCodec 24 kHz at 6 kbps. */
const ENCODEC = { codebooks: 8, codebookSize: 1024 };

/**
 * Reads a Hugging Face folder: config.json, model.safetensors, tokenizer.json; or the folder of an adapter, with the model that it names.
 * @param path "default" is the embedded policy
 * @param known the architectures it may be of; default: those of architectures.ts
 * @throws one sentence naming the file that is missing, damaged or of another architecture
 */
export async function loadPolicy<Config extends ModelConfig = ModelConfig>(
  path: string,
  known?: readonly Architecture<Config>[],
  options: BaseOptions = {},
): Promise<Policy<Config>> {
  const directory = resolveModelPart(path, 'policy');
  const base = (await isAdapterFolder(directory)) ? await findBase(directory, options) : undefined;
  const model = await loadPretrained(directory, known, { base });
  const size = {
    codebooks: positiveInteger(model.config.codebooks, ENCODEC.codebooks),
    codebookSize: positiveInteger(model.config.codebook_size, ENCODEC.codebookSize),
    ids: model.config.vocab_size,
  };
  const tokenizer = await loadTokenizer(await tokenizerFolder(directory, base), size);
  return { ...model, directory, ...(base !== undefined && { baseDirectory: base }), tokenizer };
}

/** An adapter's folder may leave the tokenizer to its base. */
async function tokenizerFolder(directory: string, base: string | undefined): Promise<string> {
  if (base === undefined) return directory;
  const has = await Promise.all(
    ['tokenizer.json', 'vocab.json'].map((name) => exists(join(directory, name))),
  );
  return has.includes(true) ? directory : base;
}

/**
 * Writes the policy as a Hugging Face folder, float32, with its tokenizer's files; of a policy with an adapter the adapter alone, as PEFT does.
 * All of it or nothing.
 *
 * @throws as `savePretrained`; where an adapter would take the place of its base; where a training has freed the weights (`keepsWeights`)
 *   and did not finish
 */
export async function savePolicy(policy: Policy, directory: string): Promise<void> {
  const { architecture, config, weights } = policy;
  checkValues(weights);
  const copyTokenizerFrom = await tokenizerFolder(policy.directory, policy.baseDirectory);
  const base = policy.baseDirectory ?? policy.directory;
  if (policy.adapter && resolve(base) === resolve(directory))
    throw new Error(
      `${directory} holds what the adapter is trained on, and an adapter alone in its place would be of no use: save it in another folder, or save mergeAdapter(policy)`,
    );
  if (policy.adapter) return writeAdapter(directory, policy, { copyTokenizerFrom });
  await savePretrained(directory, {
    architecture,
    config,
    weights,
    dtype: 'float32',
    copyTokenizerFrom,
  });
}

/**
 * Gives a policy the weights of a checkpoint that was saved of it.
 *
 * @throws as `loadPretrained` does
 */
export async function restorePolicy(policy: Policy, directory: string): Promise<void> {
  const { weights } = policy.adapter
    ? await readAdapter(directory, policy)
    : await loadPretrained(directory, [policy.architecture]);
  for (const [name, tensor] of weights) policy.weights.set(name, tensor);
}

function positiveInteger(value: unknown, otherwise: number): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : otherwise;
}
