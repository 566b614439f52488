import { z } from 'zod';

/** Beyond any BART, and little enough that a damaged file cannot fill the memory. */
const count = z
  .int()
  .positive()
  .max(2 ** 24);
const layers = count.max(1024);
const probability = z.number().min(0).lt(1);
const tokenId = z.int().min(0);

/**
 * config.json of BART as transformers writes it. Defaults are transformers' own for keys that a file leaves out.
 * Further keys (id2label, task_specific_params, ...) are kept and written back unchanged.
 */
const bartConfigSchema = z.looseObject({
  model_type: z.literal('bart'),
  architectures: z.array(z.string()).nullable().default(['BartForConditionalGeneration']),
  vocab_size: count,
  max_position_embeddings: count,
  d_model: count,
  encoder_layers: layers,
  encoder_attention_heads: count,
  encoder_ffn_dim: count,
  decoder_layers: layers,
  decoder_attention_heads: count,
  decoder_ffn_dim: count,
  activation_function: z.literal('gelu').default('gelu'),
  dropout: probability.default(0.1),
  attention_dropout: probability.default(0),
  activation_dropout: probability.default(0),
  init_std: z.number().positive().default(0.02),
  scale_embedding: z.boolean().default(false),
  bos_token_id: tokenId.default(0),
  pad_token_id: tokenId.default(1),
  eos_token_id: tokenId.default(2),
  decoder_start_token_id: tokenId.default(2),
  forced_bos_token_id: tokenId.nullish(),
  forced_eos_token_id: tokenId.nullable().default(2),
  // What BART computes only with these values; another value is another network.
  is_encoder_decoder: z.literal(true).default(true),
  tie_word_embeddings: z.literal(true).optional(),
  normalize_before: z.literal(false).optional(),
  add_final_layer_norm: z.literal(false).optional(),
  normalize_embedding: z.literal(true).optional(),
  static_position_embeddings: z.literal(false).optional(),
  encoder_layerdrop: z.literal(0).default(0),
  decoder_layerdrop: z.literal(0).default(0),
});

/** A validated BART configuration, by transformers' key names. */
export type BartConfig = z.infer<typeof bartConfigSchema>;

/**
 * Validates the content of a config.json of model_type "bart".
 * @param file the file's name, for messages.
 * @throws an Error with one sentence when the model would compute something else than this BART does.
 */
export function parseBartConfig(content: unknown, file: string): BartConfig {
  const result = bartConfigSchema.safeParse(content);
  if (!result.success) throw new Error(`${file}: ${describeIssue(result.error, Object(content))}`);
  checkConsistency(result.data, file);
  return result.data;
}

function describeIssue(error: z.ZodError, content: Record<string, unknown>): string {
  const issue = error.issues[0]!;
  const key = String(issue.path[0] ?? '');
  if (!(key in content)) return `${key} is missing.`;
  const found = JSON.stringify(content[key]);
  if (issue.code === 'invalid_value') {
    return `${key} is ${found}, but the BART that speech-dpo computes has ${issue.values.map((v) => JSON.stringify(v)).join(' or ')}.`;
  }
  return `${key} is ${found}: ${issue.message}.`;
}

function checkConsistency(config: BartConfig, file: string): void {
  for (const part of ['encoder', 'decoder'] as const) {
    const heads = config[`${part}_attention_heads`];
    if (config.d_model % heads !== 0) {
      throw new Error(
        `${file}: d_model ${config.d_model} is not divisible by ${part}_attention_heads ${heads}.`,
      );
    }
  }
  const ids = ['bos_token_id', 'pad_token_id', 'eos_token_id', 'decoder_start_token_id'] as const;
  for (const key of [...ids, 'forced_bos_token_id', 'forced_eos_token_id'] as const) {
    const id = config[key];
    if (id != null && id >= config.vocab_size) {
      throw new Error(`${file}: ${key} ${id} is outside the vocabulary of ${config.vocab_size}.`);
    }
  }
}
