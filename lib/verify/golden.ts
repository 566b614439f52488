/** Files of a golden folder: what transformers and TRL computed, as ../shared/golden/bart lays it out. */
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile } from '../checkpoint/json-file.js';

const numbers = z.array(z.number());
const rows = z.array(numbers);

const warperSchema = z.looseObject({
  temperature: z.number(),
  top_k: z.int(),
  top_p: z.number(),
  logits_row: z.tuple([z.int(), z.int()]),
  kept_ids: numbers,
  probs: numbers,
});

const forwardSchema = z.looseObject({
  forward: z.looseObject({
    input_ids: rows,
    attention_mask: rows,
    labels: rows,
    decoder_input_ids: rows,
    encoder_last_hidden_state: z.array(rows),
    logits: z.array(rows),
    per_token_logps: rows,
    sum_logps: numbers,
    greedy_max_new_24: rows,
    sampling_warpers: z.array(warperSchema),
  }),
});

const stepSchema = z.looseObject({
  loss: z.number(),
  grad_norm_before_clip: z.number(),
  lr: z.number(),
  policy_chosen_logps: numbers,
  policy_rejected_logps: numbers,
  chosen_rewards: numbers,
  rejected_rewards: numbers,
});

const dpoSchema = z.looseObject({
  dpo: z.looseObject({
    args: z.looseObject({
      learning_rate: z.number(),
      beta: z.number(),
      max_grad_norm: z.number(),
      max_steps: z.int(),
      per_device_train_batch_size: z.int(),
    }),
    tokenized_rows: z.array(
      z.looseObject({ prompt_input_ids: numbers, chosen_labels: numbers, rejected_labels: numbers }),
    ),
    train_steps: z.array(stepSchema),
  }),
});

const narSchema = z.looseObject({ input_ids: rows, decoder_input_ids: rows, logits: z.array(rows) });

const codecSchema = z.looseObject({
  bandwidth_kbps: z.number(),
  input: numbers,
  codes: rows,
  decoded: numbers,
  random_codes: rows,
  random_decoded: numbers,
});

export type ForwardGolden = z.infer<typeof forwardSchema>['forward'];
export type DpoGolden = z.infer<typeof dpoSchema>['dpo'];
export type NarGolden = z.infer<typeof narSchema>;
export type CodecGolden = z.infer<typeof codecSchema>;

export async function readForwardGolden(directory: string): Promise<ForwardGolden> {
  return (await readGolden(directory, 'forward_f32.json', forwardSchema)).forward;
}

export async function readDpoGolden(directory: string): Promise<DpoGolden> {
  return (await readGolden(directory, 'dpo_f32.json', dpoSchema)).dpo;
}

export function readNarGolden(directory: string): Promise<NarGolden> {
  return readGolden(directory, 'nar.json', narSchema);
}

export function readCodecGolden(directory: string): Promise<CodecGolden> {
  return readGolden(directory, 'encodec.json', codecSchema);
}

/** @throws Error naming the file and the key when it is missing or of another layout */
export async function readGolden<T>(directory: string, name: string, schema: z.ZodType<T>): Promise<T> {
  const file = join(directory, name);
  const parsed = schema.safeParse(await readJsonFile(file));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Error(`${file}: ${issue.path.join('.')}: ${issue.message}`);
}
