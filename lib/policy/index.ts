/** `speech-dpo/policy`: speech codec language models: loading, packing prompts, sampling, the partner that writes the other codebooks. */
export { loadPolicy, savePolicy, type Policy } from './policy.js';
export type { SpeechTokenizer } from './tokenizer.js';
export { packCompletion, packPrompt } from './pack.js';
export { openSampler, type Sampler, type SamplingEvent, type SamplingOptions } from './sample.js';
export { openPartner, type PartnerItem, type Partner } from './partner.js';
