/**
 * `speech-dpo/policy`: speech codec language models: loading, packing prompts, sampling, the partner that writes the other codebooks; what an
 * architecture is, and BART.
 */
export { loadPolicy, savePolicy, type Policy } from './policy.js';
export { loadPretrained, savePretrained } from './pretrained.js';
export { addAdapter, addLowRank, mergeAdapter, mergedWeights } from './lora.js';
export type { SpeechTokenizer } from './tokenizer.js';
export { packCompletion, packPrompt } from './pack.js';
export { openSampler, type Sampler, type SamplingEvent, type SamplingOptions } from './sample.js';
export { openPartner, type PartnerItem, type Partner } from './partner.js';

export {
  nextOf,
  type Adapter,
  type Architecture,
  type BatchSizes,
  type CodebookReading,
  type Generation,
  type HostWeights,
  type Model,
  type ModelConfig,
  type PartnerInputs,
  type PartnerNetwork,
  type Rows,
  type Tensors,
} from './architecture.js';
export { ARCHITECTURES } from './architectures.js';
export { bart } from './bart/bart.js';
export type { BartConfig } from './bart/config.js';
export { openCompletionWriter, type CompletionWriter, type Vocabulary } from './generate.js';
export { labelLogProbs } from './log-probs.js';
export { attentionMask, causalMask, MASKED, padIds } from './padding.js';
