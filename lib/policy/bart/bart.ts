/** BART as an architecture: its configuration and weights as transformers writes them, and its programs. */
import type { Architecture } from '../architecture.js';
import { batchInputs, collate, hiddenStates } from './batch.js';
import { parseBartConfig, type BartConfig } from './config.js';
import { generation } from './generation.js';
import { initializeWeights } from './initialize.js';
import { logits } from './network.js';
import { partner } from './partner.js';
import { bartWeightShapes, fromFile, LOGITS_BIAS } from './weights.js';

const USAGE = `    from transformers import AutoTokenizer, BartForConditionalGeneration
    model = BartForConditionalGeneration.from_pretrained("dpo_model")
    tokenizer = AutoTokenizer.from_pretrained("dpo_model")

The encoder reads \`<s>\`, the instruction, \`</s>\`, the recording's codes of codebook 0 as tokens \`v_tok_0\`, \`v_tok_1\`, ..., \`</s>\`. The
decoder, started with \`</s><s>\`, writes the edited recording's.
`;

/**
 * BART (Lewis et al. 2019) as transformers' `BartForConditionalGeneration` computes it; config.json's model_type is "bart".
 *
 *     const config = bart.parseConfig({ model_type: 'bart', vocab_size: 1600, ... }, 'a configuration of mine');
 *     const weights = bart.initialize(config, 0);
 */
export const bart: Architecture<BartConfig> = {
  modelType: 'bart',
  title: 'BART',
  usage: USAGE,
  parseConfig: parseBartConfig,
  weightShapes: bartWeightShapes,
  fromFile,
  initialize: initializeWeights,
  isTrained: (name) => name !== LOGITS_BIAS,
  adaptable: {
    layers: ['q_proj', 'k_proj', 'v_proj', 'out_proj', 'fc1', 'fc2'],
    taskType: 'SEQ_2_SEQ_LM',
  },
  completionPositions: (config) => config.max_position_embeddings,
  batchInputs,
  collate,
  hiddenStates,
  logits,
  generation,
  partner,
};
