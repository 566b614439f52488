/**
 * DPO of a BART of the size of BART-base or BART-large (vocabulary 59,480, random weights) on two random pairs, and the most memory that
 * took: of all weights, or of a low-rank adapter on every attention and feed-forward projection.
 *
 *     node dist/bench/base-size/train.js base|large [RANK]
 */
import { Argument } from 'commander';
import { CpuDevice } from '../../lib/engine/index.js';
import { trainDpo } from '../../lib/dpo/trainer.js';
import type { Model } from '../../lib/policy/architecture.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { addAdapter } from '../../lib/policy/lora.js';
import { uniformStream } from '../../lib/random.js';
import { createProgram, wholeNumber } from '../../recipes/program.js';

const [size, rank] = createProgram(
  'node dist/bench/base-size/train.js',
  'DPO of a BART, and the most memory that took',
)
  .addArgument(new Argument('<size>', 'of the model').choices(['base', 'large']))
  .argument('[rank]', 'of a low-rank adapter; 0 trains all weights', wholeNumber(0), 0)
  .parse().processedArgs as ['base' | 'large', number];
const [width, layers, heads, inner] = size === 'large' ? [1024, 12, 16, 4096] : [768, 6, 12, 3072];
const device = new CpuDevice();
const [PROMPT, COMPLETION] = [250, 200];

const config = bart.parseConfig(
  {
    model_type: 'bart',
    vocab_size: 59_480,
    max_position_embeddings: 1024,
    d_model: width,
    ...{ encoder_layers: layers, encoder_attention_heads: heads, encoder_ffn_dim: inner },
    ...{ decoder_layers: layers, decoder_attention_heads: heads, decoder_ffn_dim: inner },
  },
  `${size} size`,
);
const base = { architecture: bart, config, weights: bart.initialize(config, 1) } as unknown as Model;
const targets = bart.adaptable!.layers;
const policy = rank === 0 ? base : addAdapter(base, { rank, alpha: 2 * rank, targets, base: 'none' }, 1);
const uniform = uniformStream(2);
const ids = (length: number) => [
  config.bos_token_id,
  ...Array.from({ length: length - 2 }, () => 60 + Math.floor(uniform() * 50_000)),
  config.eos_token_id,
];
const pairs = [0, 1].map(() => ({
  prompt: ids(PROMPT),
  chosen: ids(COMPLETION),
  rejected: ids(COMPLETION),
}));
const gigabytes = () => (process.resourceUsage().maxRSS / 1e6).toFixed(2);
console.log(`weights alone: peak memory ${gigabytes()} GB`);
const startMs = performance.now();
const options = { device, learningRate: 1e-5, epochs: 1, batchSize: 1, keepsWeights: false, seed: 1 };
for await (const event of trainDpo(policy, pairs, options))
  if (event.type === 'step') console.log(`step ${event.step}: loss ${event.metrics.loss.toFixed(4)}`);
const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
console.log(`${rank === 0 ? 'all weights' : `rank ${rank}`}: ${seconds} s, peak memory ${gigabytes()} GB`);
await device.close();
