import { ADAPTER_FORMATS, chooseWeightFiles } from './tensor-files.js';

/** What the tokenizer of a Hugging Face folder may consist of. */
export const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
];

/** What PEFT describes an adapter in. */
export const ADAPTER_CONFIG = 'adapter_config.json';

const CONFIG_FILES = ['config.json', 'generation_config.json'];

/**
 * Chooses, from the names of all files of a model, those that are read: configuration, tokenizer and one format of weights. It chooses none
 * where config.json or weights are missing. As transformers does, it takes an adapter, where there is one, before a whole network.
 */
export function chooseModelFiles(names: readonly string[]): string[] {
  const tokenizer = names.filter((name) => TOKENIZER_FILES.includes(name));
  const adapter = chooseWeightFiles(names, ADAPTER_FORMATS);
  if (names.includes(ADAPTER_CONFIG) && adapter.length > 0) return [ADAPTER_CONFIG, ...tokenizer, ...adapter];
  const weights = chooseWeightFiles(names);
  if (weights.length === 0 || !names.includes('config.json')) return [];
  return [
    ...names.filter((name) => CONFIG_FILES.includes(name) || TOKENIZER_FILES.includes(name)),
    ...weights,
  ];
}
