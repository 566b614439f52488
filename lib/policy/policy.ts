/** A speech language model in memory: configuration, tokenizer, weights. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import { loadPretrained, savePretrained } from '../checkpoint/pretrained.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { resolveModelPart } from '../package-root.js';
import { loadTokenizer, type SpeechTokenizer } from './tokenizer.js';

export interface Policy {
  readonly config: BartConfig;
  readonly tokenizer: SpeechTokenizer;
  /** float32, by transformers' names. Training replaces the entries. */
  readonly weights: Map<string, HostTensor>;
  /** The folder it was read from. */
  readonly directory: string;
}

/** The codec a policy speaks where its config.json does not say (`codebooks`, `codebook_size`): EnCodec 24 kHz at 6 kbps. */
const ENCODEC = { codebooks: 8, codebookSize: 1024 };

/**
 * Reads a Hugging Face folder: config.json, model.safetensors, tokenizer.json.
 * @param path "default" is the embedded policy
 * @throws one sentence naming the file that is missing, damaged or of another architecture
 */
export async function loadPolicy(path: string): Promise<Policy> {
  const directory = resolveModelPart(path, 'policy');
  const { config, weights } = await loadPretrained(directory);
  const size = {
    codebooks: positiveInteger(config.codebooks, ENCODEC.codebooks),
    codebookSize: positiveInteger(config.codebook_size, ENCODEC.codebookSize),
  };
  return { config, weights, directory, tokenizer: await loadTokenizer(directory, size) };
}

/** Writes the policy as a Hugging Face folder, float32, with its tokenizer's files; all of it or nothing. */
export async function savePolicy(policy: Policy, directory: string): Promise<void> {
  const { config, weights } = policy;
  await savePretrained(directory, { config, weights, dtype: 'float32', copyTokenizerFrom: policy.directory });
}

function positiveInteger(value: unknown, otherwise: number): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : otherwise;
}
