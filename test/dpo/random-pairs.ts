import type { BartConfig } from '../../lib/policy/bart/config.js';
import type { PreferencePair } from '../../lib/dpo/batch.js';
import type { DpoOptions } from '../../lib/dpo/trainer.js';
import { device } from '../support/device.js';
import { uniformStream } from '../../lib/random.js';

/** A short training of {@link randomPairs}. */
export const OPTIONS: DpoOptions = {
  device,
  beta: 0.1,
  learningRate: 1e-3,
  epochs: 1,
  batchSize: 2,
  seed: 5,
};

/** Packed pairs of random codes and of different lengths: prompts of 3 to 22 ids, completions of 3 to 14. */
export function randomPairs(config: BartConfig, count: number, seed = 1): PreferencePair[] {
  const uniform = uniformStream(seed, 77);
  const below = (limit: number) => Math.floor(limit * uniform());
  const packed = (length: number) => [
    0,
    ...Array.from({ length }, () => 4 + below(config.vocab_size - 4)),
    2,
  ];
  return Array.from({ length: count }, () => ({
    prompt: packed(1 + below(20)),
    chosen: packed(1 + below(12)),
    rejected: packed(1 + below(12)),
  }));
}
