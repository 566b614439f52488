/** How far the reference's own float32 is from its float64, as a golden folder may record it: nobody's float32 can be held to less. */
import { join } from 'node:path';
import { z } from 'zod';
import { exists } from '../checkpoint/files.js';
import { readGolden } from './golden.js';
import { row, type VerifyRow } from './rows.js';

const amount = z.number().nonnegative();

/** What is left out is not recorded: then the fixed tolerance counts. */
const noiseSchema = z.looseObject({
  forward: z
    .looseObject({
      encoder_last_hidden_state: amount,
      logits: amount,
      per_token_logps: amount,
      sum_logps: amount,
    })
    .partial()
    .default({}),
  nar_logits: amount.optional(),
  train_steps: z
    .looseObject({
      policy_chosen_logps: amount,
      policy_rejected_logps: amount,
      chosen_rewards: amount,
      rejected_rewards: amount,
      loss: amount,
      grad_norm_before_clip: amount,
    })
    .partial()
    .default({}),
  /** By weight name: largest difference, largest float64 value. */
  step0_grads: z.record(z.string(), z.tuple([amount, amount], amount)).default({}),
  /** By weight name: largest difference, then other figures. */
  final_params_maxabs: z.record(z.string(), z.tuple([amount], amount)).default({}),
});

export type Noise = z.infer<typeof noiseSchema>;

export const NO_NOISE: Noise = noiseSchema.parse({});

/** Content of noise_f32_vs_f64.json; nothing where the folder has none. */
export async function readNoise(directory: string): Promise<Noise> {
  const name = 'noise_f32_vs_f64.json';
  if (!(await exists(join(directory, name)))) return NO_NOISE;
  return readGolden(directory, name, noiseSchema);
}

/** The row, held to the larger of its tolerance and the reference's own noise, which its name then says. */
export function heldToNoise(
  { quantity, difference, tolerance }: VerifyRow,
  ...noise: (number | undefined)[]
): VerifyRow {
  const largest = Math.max(...noise.map((value) => value ?? 0));
  if (largest <= tolerance) return row(quantity, difference, tolerance);
  return row(`${quantity}; tolerance: the reference's own float32 noise`, difference, largest);
}
