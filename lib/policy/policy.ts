/** A speech language model in memory: architecture, configuration, tokenizer, weights. */
import { resolveModelPart } from '../package-root.js';
import type { Architecture, Model, ModelConfig } from './architecture.js';
import { loadPretrained, savePretrained } from './pretrained.js';
import { loadTokenizer, type SpeechTokenizer } from './tokenizer.js';

export interface Policy<Config extends ModelConfig = ModelConfig> extends Model<Config> {
  readonly tokenizer: SpeechTokenizer;
  /** The folder it was read from. */
  readonly directory: string;
}

/** The codec a policy speaks where its config.json does not say (`codebooks`, `codebook_size`): EnCodec 24 kHz at 6 kbps. */
const ENCODEC = { codebooks: 8, codebookSize: 1024 };

/**
 * Reads a Hugging Face folder: config.json, model.safetensors, tokenizer.json.
 * @param path "default" is the embedded policy
 * @param known the architectures it may be of; default: those of architectures.ts
 * @throws one sentence naming the file that is missing, damaged or of another architecture
 */
export async function loadPolicy<Config extends ModelConfig = ModelConfig>(
  path: string,
  known?: readonly Architecture<Config>[],
): Promise<Policy<Config>> {
  const directory = resolveModelPart(path, 'policy');
  const model = await loadPretrained(directory, known);
  const size = {
    codebooks: positiveInteger(model.config.codebooks, ENCODEC.codebooks),
    codebookSize: positiveInteger(model.config.codebook_size, ENCODEC.codebookSize),
  };
  return { ...model, directory, tokenizer: await loadTokenizer(directory, size) };
}

/** Writes the policy as a Hugging Face folder, float32, with its tokenizer's files; all of it or nothing. */
export async function savePolicy(policy: Policy, directory: string): Promise<void> {
  const { architecture, config, weights } = policy;
  await savePretrained(directory, {
    architecture,
    config,
    weights,
    dtype: 'float32',
    copyTokenizerFrom: policy.directory,
  });
}

function positiveInteger(value: unknown, otherwise: number): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : otherwise;
}
