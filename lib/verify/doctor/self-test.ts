/** What a device is tried with: a small BART with random weights, its gradients, three DPO steps, sampled tokens. A second or so. */
import { tf, type CompileOptions, type Device } from '../../engine/index.js';
import type { HostTensor } from '../../engine/host-tensor.js';
import { batchShape, collatePairs, labelCounts, type PreferencePair } from '../../dpo/batch.js';
import { pairProgram } from '../../dpo/pair-program.js';
import { sigmoidLoss } from '../../dpo/losses/margin.js';
import { trainDpo } from '../../dpo/trainer.js';
import { buffersOf } from '../../policy/architecture.js';
import { bart } from '../../policy/bart/bart.js';
import { parseBartConfig, type BartConfig } from '../../policy/bart/config.js';
import { initializeWeights } from '../../policy/bart/initialize.js';
import { packCompletion, packPrompt } from '../../policy/pack.js';
import type { Policy } from '../../policy/policy.js';
import { openSampler } from '../../policy/sample.js';
import { uniformStream } from '../../random.js';
import { compileBatch, gradientOf, splitTrained } from '../../train/gradient-program.js';
import { isUndetermined } from '../training.js';

/** What a device computed. */
export interface DeviceNumbers {
  /** Of the DPO loss of two pairs, by weight name. */
  gradients: Map<string, Float32Array>;
  /** Log-probabilities of each pair's completions over three DPO steps; none where only the gradients were computed. */
  logps: number[];
  /** Sampled codes of each prompt. */
  codes: number[][];
}

/** How far two devices are apart. */
export interface Distance {
  /** Relative L2 of the gradients, the worst tensor. */
  gradients: number;
  /** Largest difference of the log-probabilities over three steps. */
  logps: number;
  sameTokens: boolean;
}

/** As in `verify`: float32 rounds differently from device to device, and no device rounds worse. */
const GRADIENT_TOLERANCE = 1e-4;
const LOGPS_TOLERANCE = 2e-4;

const BETA = 0.1;
const CODES = 64;
const LETTERS = 26;
const FIRST_LETTER_ID = 4;
const FIRST_CODE_ID = FIRST_LETTER_ID + LETTERS;
const POSITIONS = 64;

/** Width 32, one layer on each side, 64 codes. The seed decides on the weights. */
function randomPolicy(): Policy<BartConfig> {
  const config = parseBartConfig(
    {
      model_type: 'bart',
      vocab_size: FIRST_CODE_ID + CODES,
      max_position_embeddings: POSITIONS,
      d_model: 32,
      encoder_layers: 1,
      decoder_layers: 1,
      encoder_ffn_dim: 64,
      decoder_ffn_dim: 64,
      encoder_attention_heads: 4,
      decoder_attention_heads: 4,
      init_std: 0.2,
    },
    'the self-test',
  );
  return {
    architecture: bart,
    config,
    weights: initializeWeights(config, 1),
    directory: '',
    tokenizer: {
      codebooks: 1,
      codebookSize: CODES,
      firstCodeId: FIRST_CODE_ID,
      encodeText: (text) => Array.from(text, (letter) => FIRST_LETTER_ID + (letter.charCodeAt(0) % LETTERS)),
      codeId: (_codebook, code) => FIRST_CODE_ID + code,
    },
  };
}

function randomPairs(policy: Policy): PreferencePair[] {
  const uniform = uniformStream(1, 2);
  const codes = (length: number) => Array.from({ length }, () => Math.floor(uniform() * CODES));
  return [12, 17].map((length) => ({
    prompt: packPrompt(policy, 'faster', codes(length)),
    chosen: packCompletion(policy, codes(length - 4)),
    rejected: packCompletion(policy, codes(length)),
  }));
}

/** Gradients of the DPO loss at the initial weights. */
async function measureGradients(device: CompileOptions['device']): Promise<DeviceNumbers['gradients']> {
  const policy = randomPolicy();
  const pairs = randomPairs(policy);
  const split = splitTrained(policy.weights, buffersOf(policy));
  const shape = batchShape(pairs, policy.config);
  const program = pairProgram(policy, shape, { loss: sigmoidLoss(BETA) });
  const run = await compileBatch(program, split, { device, backward: true });
  const weights = [...split.trained].map(([name, { data }]: [string, HostTensor]) => [
    name,
    data as Float32Array,
  ]);
  const results = await run({
    ...(Object.fromEntries(weights) as Record<string, Float32Array>),
    ...collatePairs(pairs, shape, policy),
    reference: new Float32Array(2 * pairs.length).fill(-40),
    labelCounts: labelCounts(pairs),
    pairWeights: new Float32Array(pairs.length).fill(1 / pairs.length),
  }).finally(() => run.dispose());
  return new Map([...split.trained.keys()].map((name) => [name, results[gradientOf(name)] as Float32Array]));
}

/** The gradients as TensorFlow.js computes them op by op in JavaScript, without any device. */
export async function measureInJavaScript(): Promise<DeviceNumbers['gradients']> {
  const before = tf.getBackend();
  // It would print an advertisement otherwise.
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
  try {
    return await measureGradients('eager');
  } finally {
    if (before) await tf.setBackend(before);
  }
}

/** Everything that a run asks of a device: sampling, gradients, AdamW. */
export async function measureDevice(device: Device): Promise<DeviceNumbers> {
  const gradients = await measureGradients(device);
  const policy = randomPolicy();
  const pairs = randomPairs(policy);
  const sampler = openSampler(policy, device);
  const codes: number[][] = [];
  const sampling = { samplesPerPrompt: 2, maxNewTokens: 16, seed: 1 };
  const prompts = pairs.map(({ prompt }) => prompt);
  for await (const event of sampler.sample(prompts, sampling))
    if (event.type === 'completion') codes[2 * event.promptIndex + event.sampleIndex] = event.codes;
  await sampler.release();
  const logps: number[] = [];
  const training = {
    device,
    beta: BETA,
    learningRate: 1e-3,
    epochs: 3,
    batchSize: 2,
    seed: 1,
    shuffle: false,
  };
  for await (const event of trainDpo(policy, pairs, training))
    if (event.type === 'step') logps.push(...event.logps);
  return { gradients, logps, codes };
}

export function distanceOf(actual: DeviceNumbers, expected: DeviceNumbers): Distance {
  return {
    gradients: gradientDistance(actual.gradients, expected.gradients),
    logps: largest(
      actual.logps.length === expected.logps.length ? 0 : NaN,
      ...actual.logps.map((value, i) => Math.abs(value - expected.logps[i])),
    ),
    sameTokens: JSON.stringify(actual.codes) === JSON.stringify(expected.codes),
  };
}

/** Relative L2 of the gradients, the worst tensor; those that are zero but for rounding are left out. */
export function gradientDistance(
  actual: DeviceNumbers['gradients'],
  expected: DeviceNumbers['gradients'],
): number {
  const compared = [...expected].filter(([name]) => !isUndetermined(name));
  return largest(
    ...compared.map(([name, numbers]) => {
      const others = actual.get(name);
      if (others?.length !== numbers.length) return NaN;
      const squares = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);
      return Math.sqrt(squares(others.map((value, i) => value - numbers[i])) / squares(numbers));
    }),
  );
}

/** What is no number is infinitely far. */
const largest = (...distances: number[]): number =>
  distances.some(Number.isNaN) ? Infinity : Math.max(...distances);

/** Whether two devices differ by float32's rounding only. */
export function isWithinNoise({ gradients, logps, sameTokens }: Distance): boolean {
  return gradients <= GRADIENT_TOLERANCE && logps <= LOGPS_TOLERANCE && sameTokens;
}
