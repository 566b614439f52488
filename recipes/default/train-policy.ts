/**
 * Trains the embedded policy (`ar`) from scratch, then its non-autoregressive partner (`nar`) from it, with the project's own
 * supervised trainer.
 *
 *     node dist/recipes/default/train-policy.js ar  --data .cache/default --out models/default/policy
 *     node dist/recipes/default/train-policy.js nar --data .cache/default --out models/default/nar
 */
import { CpuDevice } from '../../lib/engine/index.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Argument } from 'commander';
import { parseNumber } from '../../lib/cli/parameter-options.js';
import type { BartConfig } from '../../lib/policy/bart/config.js';
import { savePretrained } from '../../lib/policy/pretrained.js';
import type { DatasetItem } from '../../lib/data/item.js';
import { loadSpectralCodec } from '../../lib/codec/spectral/checkpoint.js';
import { bucketedBatches } from '../../lib/train/bucketed-batches.js';
import { evaluateSupervised, trainSupervised, type SupervisedTask } from '../../lib/train/supervised.js';
import { codebookIds, packPartnerSource, packPartnerTarget } from '../../lib/policy/partner.js';
import {
  causalSequences,
  partnerSequences,
  type CausalExample,
  type PartnerExample,
} from '../../lib/train/sequences.js';
import { packCompletion, packPrompt } from '../../lib/policy/pack.js';
import { loadPolicy, type Policy } from '../../lib/policy/policy.js';
import { loadTokenizer } from '../../lib/policy/tokenizer.js';
import { uniformStream } from '../../lib/random.js';
import { createProgram, requireFile, wholeNumber } from '../program.js';
import { startFromPolicy } from './partner-init.js';

const device = new CpuDevice();

const CODEC = { codebooks: 8, codebookSize: 256 };

/** Sizes of the two networks: together with the codec they stay under 25 MB in float16. */
const SIZES = {
  ar: { encoder_layers: 3, decoder_layers: 3, encoder_ffn_dim: 1024, decoder_ffn_dim: 1024 },
  nar: { encoder_layers: 3, decoder_layers: 3, encoder_ffn_dim: 256, decoder_ffn_dim: 256 },
};

interface Options {
  data: string;
  out: string;
  tokenizer: string;
  steps: number;
  batchSize: number;
  learningRate: number;
  policy: string;
  codec: string;
  from?: string;
  saveEvery: number;
  seed: number;
}

const program = createProgram(
  'node dist/recipes/default/train-policy.js',
  'train the policy (ar) or its partner (nar) on what dataset.js wrote',
)
  .addArgument(new Argument('<kind>', 'which of the two').choices(['ar', 'nar']))
  .requiredOption('--out <folder>', 'folder to write')
  .option('--data <folder>', 'with train.jsonl and validation.jsonl', '.cache/default')
  .option('--tokenizer <folder>', 'what train-tokenizer.js wrote', 'models/default/policy')
  .option('--steps <number>', 'so many steps', wholeNumber(), 3000)
  .option('--batch-size <number>', 'items of a step', wholeNumber(), 16)
  .option('--learning-rate <number>', 'at its peak', parseNumber, 1e-3)
  .option('--policy <folder>', 'trained policy that the partner starts from', 'models/default/policy')
  .option('--codec <folder>', 'codec that the partner starts from', 'models/default/codec')
  .option('--from <folder>', 'checkpoint to go on from instead of new weights')
  .option('--save-every <number>', 'steps between two saves', wholeNumber(), 500)
  .option('--seed <number>', 'of new weights and of the order of items', wholeNumber(0), 1)
  .parse();
const [kind] = program.processedArgs as ['ar' | 'nar'];
const values = program.opts<Options>();
const { batchSize, seed, saveEvery } = values;

const train = await readItems('train');
const validation = await readItems('validation');
const model = await openModel(kind);
const task = kind === 'ar' ? autoregressiveTask : partnerTask;
const heldOut = validation.slice(0, 160);
console.log(`${kind}: ${train.length} training items, ${heldOut.length} for validation`);

const training = trainSupervised(model, task(model, train, batchSize, seed), {
  device,
  steps: values.steps,
  learningRate: values.learningRate,
  warmupSteps: 200,
  weightDecay: 0.01,
  maxGradNorm: 1,
});
const started = Date.now();
let window = { loss: 0, accuracy: 0, steps: 0 };
for (let refresh = false; ;) {
  const next = await training.next(refresh);
  if (next.done) break;
  const { step, loss, accuracy, gradNorm, learningRate } = next.value;
  window = { loss: window.loss + loss, accuracy: window.accuracy + accuracy, steps: window.steps + 1 };
  if (step % 50 === 0) {
    const minutes = (Date.now() - started) / 60_000;
    console.log(
      `${minutes.toFixed(1)} min, step ${step}: loss ${(window.loss / window.steps).toFixed(3)}, accuracy ${(window.accuracy / window.steps).toFixed(3)}, ` +
        `gradient norm ${gradNorm.toFixed(2)}, learning rate ${learningRate.toExponential(1)}`,
    );
    window = { loss: 0, accuracy: 0, steps: 0 };
  }
  // Weights asked for at step k are fetched before step k + 1 runs.
  refresh = step % saveEvery === 0;
  if (step % saveEvery === 1 && step > 1) await report(`step ${step}`);
}
await report('end');

async function report(when: string): Promise<void> {
  await savePretrained(values.out, {
    architecture: model.architecture,
    config: model.config,
    weights: model.weights,
    dtype: 'float16',
    copyTokenizerFrom: values.tokenizer,
  });
  const rows = 16;
  const steps = Math.floor(heldOut.length / rows) * (kind === 'nar' ? CODEC.codebooks - 1 : 1);
  const { loss, accuracy } = await evaluateSupervised(model, task(model, heldOut, rows, 7), steps, device);
  console.log(
    `${when}: validation loss ${loss.toFixed(3)}, token accuracy ${accuracy.toFixed(3)}; saved ${values.out}`,
  );
}

/** Codebook 0 from instruction and source codebook 0; full-vocabulary softmax, as DPO computes it. */
function autoregressiveTask(
  policy: Policy,
  items: readonly DatasetItem[],
  rows: number,
  seed: number,
): SupervisedTask<CausalExample> {
  const head = Int32Array.from({ length: policy.config.vocab_size }, (_, id) => id);
  const next = bucketedBatches(items, rows, seed, (item) => item.tgt_encodec[0].length);
  const example = (item: DatasetItem): CausalExample => ({
    prompt: packPrompt(policy, item.instruction, item.src_encodec[0]),
    labels: packCompletion(policy, item.tgt_encodec[0]),
  });
  return {
    sequences: causalSequences(policy),
    batch: (step) => ({ examples: next(step).map(example), head }),
  };
}

/** One codebook a batch, 1 to 7 in turn while evaluating and at random while training; the ones below it are given. */
function partnerTask(
  policy: Policy,
  items: readonly DatasetItem[],
  rows: number,
  seed: number,
): SupervisedTask<PartnerExample> {
  const next = bucketedBatches(items, rows, seed, (item) => item.tgt_encodec[0].length);
  const evaluating = items === heldOut;
  return {
    sequences: partnerSequences(policy, { source: CODEC.codebooks, decoder: CODEC.codebooks - 1 }),
    batch(step) {
      const later = CODEC.codebooks - 1;
      const codebook =
        1 + (evaluating ? step % later : Math.floor(uniformStream(seed, step)() ** 1.5 * later));
      const examples = next(evaluating ? Math.floor(step / later) : step).map((item) => ({
        source: packPartnerSource(policy, item.instruction, item.src_encodec),
        decoder: packPartnerTarget(policy, item.tgt_encodec.slice(0, codebook)),
        labels: item.tgt_encodec[codebook],
      }));
      return { examples, head: codebookIds(policy, codebook) };
    },
  };
}

async function readItems(split: string): Promise<DatasetItem[]> {
  const path = join(values.data, `${split}.jsonl`);
  requireFile(path, 'node dist/recipes/default/dataset.js');
  const lines = (await readFile(path, 'utf8')).split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as DatasetItem);
}

async function openModel(size: 'ar' | 'nar'): Promise<Policy<BartConfig>> {
  if (values.from) return loadPolicy(values.from, [bart]);
  const tokenizer = await loadTokenizer(values.tokenizer, CODEC);
  const config: BartConfig = {
    model_type: 'bart',
    architectures: ['BartForConditionalGeneration'],
    vocab_size: tokenizer.firstCodeId + CODEC.codebooks * CODEC.codebookSize,
    max_position_embeddings: 256,
    d_model: 256,
    ...SIZES[size],
    encoder_attention_heads: 4,
    decoder_attention_heads: 4,
    activation_function: 'gelu',
    dropout: 0,
    attention_dropout: 0,
    activation_dropout: 0,
    encoder_layerdrop: 0,
    decoder_layerdrop: 0,
    init_std: 0.02,
    scale_embedding: false,
    is_encoder_decoder: true,
    bos_token_id: 0,
    pad_token_id: 1,
    eos_token_id: 2,
    decoder_start_token_id: 2,
    forced_bos_token_id: 0,
    forced_eos_token_id: null,
    codebooks: CODEC.codebooks,
    codebook_size: CODEC.codebookSize,
    ...(size === 'nar' && { partner: true }),
  };
  const weights = bart.initialize(config, seed);
  if (size === 'nar') {
    const { codebooks } = await loadSpectralCodec(values.codec);
    startFromPolicy(config, weights, await loadPolicy(values.policy), codebooks);
  }
  return { architecture: bart, config, tokenizer, weights, directory: values.tokenizer };
}
