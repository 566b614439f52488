/**
 * Trains the codec's decoder network on original and edited speech and writes models/default/codec.
 *
 *     node dist/recipes/default/train-codec.js [steps=4000] [recordings=1500]      (after codebooks.js)
 *
 * The loss compares magnitudes of the short-time spectrum, so no sound is made while training.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { applyEffect, EFFECTS } from '../../lib/audio/effects.js';
import { melFilterBank } from '../../lib/audio/mel.js';
import type { DeferredTensor, FloatTensor } from '../../lib/engine/host-tensor.js';
import type { Codes } from '../../lib/codec/codec.js';
import { saveSpectralCodec } from '../../lib/codec/spectral/checkpoint.js';
import { DECODER_DEFAULTS, decoderShapes, logMagnitudes } from '../../lib/codec/spectral/decoder.js';
import { openEncoder } from '../../lib/codec/spectral/encoder.js';
import { FEATURES, HOP, SAMPLE_RATE_HZ, SAMPLES_PER_CODE } from '../../lib/codec/spectral/features.js';
import { sumEntries } from '../../lib/codec/quantizer.js';
import { BINS, FFT_SIZE, MARGIN } from '../../lib/codec/spectral/stft-graph.js';
import type { Objective } from '../../lib/train/objective.js';
import { optimize } from '../../lib/train/optimize.js';
import { parametersOf } from '../../lib/train/snapshot.js';
import { CpuDevice, tf } from '../../lib/engine/index.js';
import { uniformStream, type Uniform } from '../../lib/random.js';
import { readCodebooks } from './codebooks-file.js';
import { forwardBasis, frameBlocks } from './dft-matrix.js';
import { createProgram, wholeNumber } from '../program.js';
import { FEWEST_SENTENCES, loadRecording, splitOf } from './recordings.js';
import { listSpoken } from './utterances.js';

const device = new CpuDevice();

const OUTPUT = 'models/default/codec';
const BATCH = 8;
/** Codes of one training segment: 0.8 s. */
const SEGMENT = 40;
const FRAMES = 2 * SEGMENT;
const PEAK_LEARNING_RATE = 2e-3;
const WARMUP_STEPS = 100;
const MAX_GRAD_NORM = 2;
const OPTIMIZER = { beta1: 0.8, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.01 };
/** Share of segments that are decoded from their first 1 to 7 codebooks only. */
const FEWER_CODEBOOKS = 0.25;
/** The saved weights are an exponential average over steps, updated every few. */
const AVERAGE_DECAY = 0.998;
const AVERAGE_EVERY = 5;
const MAGNITUDE_FLOOR = 2e-3;
const LOSS_MEL_BANDS = 64;
const SEED = 2;

const CONFIG = {
  model_type: 'spectral-codec',
  sample_rate_hz: SAMPLE_RATE_HZ,
  frame_rate_hz: SAMPLE_RATE_HZ / SAMPLES_PER_CODE,
  griffin_lim_iterations: 16,
  decoder: DECODER_DEFAULTS,
} as const;

interface Recording {
  /** With MARGIN zeros before and after. */
  padded: Float32Array;
  codes: Codes;
}

type Batch = Record<'features' | 'blocks', Float32Array>;

/** L1 of log magnitudes, L1 of log mel magnitudes, and the spectral convergence. */
function magnitudeLosses(
  logPredicted: Tensor,
  target: Tensor,
  melMatrix: Tensor2D,
): Record<'logL1' | 'melL1' | 'convergence', Tensor> {
  const predicted = tf.exp(logPredicted);
  const logL1 = meanLogDistance(predicted, target);
  const melL1 = meanLogDistance(
    tf.matMul(predicted as Tensor2D, melMatrix),
    tf.matMul(target as Tensor2D, melMatrix),
  );
  const norm = (x: Tensor): Tensor => tf.sqrt(tf.sum(tf.square(x)));
  const convergence = tf.div(norm(tf.sub(target, predicted)), norm(target));
  return { logL1, melL1, convergence };
}

const meanLogDistance = (a: Tensor, b: Tensor): Tensor =>
  tf.mean(tf.abs(tf.sub(tf.log(tf.add(a, MAGNITUDE_FLOOR)), tf.log(tf.add(b, MAGNITUDE_FLOOR)))));

/** Magnitudes [BATCH * FRAMES, BINS] of samples given as blocks [BATCH, FRAMES + 3, HOP]. */
function magnitudesOf(blocks: Tensor, forward: Tensor2D): Tensor {
  const frames = tf.reshape(frameBlocks(blocks), [BATCH * FRAMES, FFT_SIZE]) as Tensor2D;
  const [real, imaginary] = tf.split(tf.matMul(frames, forward), [BINS, BINS], 1);
  return tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
}

/** HTK filters, each of weights that sum to one, as a matrix [BINS, LOSS_MEL_BANDS]. */
function lossMelMatrix(): Float32Array {
  const matrix = new Float32Array(BINS * LOSS_MEL_BANDS);
  const filters = melFilterBank({
    sampleRateHz: SAMPLE_RATE_HZ,
    fftSize: FFT_SIZE,
    bands: LOSS_MEL_BANDS,
    scale: 'htk',
    norm: 'none',
  });
  filters.forEach(({ firstBin, weights }, band) => {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    weights.forEach((weight, i) => (matrix[(firstBin + i) * LOSS_MEL_BANDS + band] = weight / sum));
  });
  return matrix;
}

/** torch.nn.Linear's initialization; layer scales 0.3, the skip connection 0, the output at a low level. */
function initializeDecoder(uniform: Uniform): Map<string, FloatTensor> {
  const initial = (name: string, shape: readonly number[]): number => {
    if (name.startsWith('skip')) return 0;
    if (name === 'output.bias') return -3;
    if (name.endsWith('.scale')) return 0.3;
    if (name.includes('norm')) return name.endsWith('weight') ? 1 : 0;
    if (name.endsWith('bias')) return 0;
    return (2 * uniform() - 1) / Math.sqrt(shape[0]);
  };
  return new Map(
    [...decoderShapes(DECODER_DEFAULTS)].map(([name, shape]): [string, FloatTensor] => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => initial(name, shape));
      return [name, { shape, dtype: 'float32', data }];
    }),
  );
}

/** Every second recording as spoken, the others with an effect, the effects in turn. */
async function loadRecordings(count: number): Promise<Recording[]> {
  const { scale, codebooks } = await readCodebooks();
  const encoder = await openEncoder(scale, codebooks, device);
  const recordings: Recording[] = [];
  for (const utterance of listSpoken(count, 1)) {
    if (splitOf(utterance) !== 'train') continue;
    const spoken = await loadRecording(utterance);
    const effect = EFFECTS[(recordings.length >> 1) % EFFECTS.length];
    const samples = recordings.length % 2 === 0 ? spoken : applyEffect(effect, spoken, SAMPLE_RATE_HZ);
    const codes = await encoder.encode(samples);
    if (codes[0].length <= SEGMENT) continue;
    const padded = new Float32Array(codes[0].length * SAMPLES_PER_CODE + 2 * MARGIN);
    padded.set(samples, MARGIN);
    recordings.push({ padded, codes });
  }
  await encoder.dispose();
  return recordings;
}

function makeBatch(
  recordings: readonly Recording[],
  codebooks: readonly Float32Array[],
  uniform: Uniform,
): Batch {
  const below = (n: number): number => Math.floor(uniform() * n);
  const features = new Float32Array(BATCH * SEGMENT * FEATURES);
  const blocks = new Float32Array(BATCH * (FRAMES + 3) * HOP);
  for (let item = 0; item < BATCH; item++) {
    const { padded, codes } = recordings[below(recordings.length)];
    const start = below(codes[0].length - SEGMENT + 1);
    const used = uniform() < FEWER_CODEBOOKS ? 1 + below(codebooks.length - 1) : codebooks.length;
    const segment = codes.slice(0, used).map((row) => row.slice(start, start + SEGMENT));
    features.set(sumEntries(segment, codebooks, FEATURES), item * SEGMENT * FEATURES);
    const first = start * SAMPLES_PER_CODE;
    blocks.set(padded.subarray(first, first + (FRAMES + 3) * HOP), item * (FRAMES + 3) * HOP);
  }
  return { features, blocks };
}

interface Losses {
  loss: number;
  logL1: number;
  melL1: number;
  convergence: number;
}

/** The decoder network against the spectra of what was spoken; all batches have one shape. */
const OBJECTIVE: Objective<Batch, object, Losses> = {
  shape: () => ({}),
  program: () => ({
    inputs: {
      features: { shape: [BATCH, SEGMENT, FEATURES], dtype: 'float32' },
      blocks: { shape: [BATCH, FRAMES + 3, HOP], dtype: 'float32' },
    },
    constants: {
      forward: { shape: [FFT_SIZE, 2 * BINS], data: forwardBasis() },
      melMatrix: { shape: [BINS, LOSS_MEL_BANDS], data: lossMelMatrix() },
    },
    forward({ features, blocks, forward, melMatrix, ...network }) {
      const predicted = logMagnitudes(features, network, DECODER_DEFAULTS);
      const target = magnitudesOf(blocks, forward as Tensor2D);
      return magnitudeLosses(tf.reshape(predicted, [BATCH * FRAMES, BINS]), target, melMatrix as Tensor2D);
    },
    loss: ({ logL1, melL1, convergence }) => tf.add(tf.add(logL1, melL1), tf.mul(convergence, 0.5)),
  }),
  collate: (batch) => batch,
  metrics(_, [{ logL1, melL1, convergence }]) {
    const parts = { logL1: logL1[0], melL1: melL1[0], convergence: convergence[0] };
    return { loss: parts.logL1 + parts.melL1 + 0.5 * parts.convergence, ...parts };
  },
};

async function train(steps: number, recordingCount: number): Promise<void> {
  const { scale, codebooks } = await readCodebooks();
  const recordings = await loadRecordings(recordingCount);
  const uniform = uniformStream(SEED);
  const weights = initializeDecoder(uniform);
  const average = new Map(
    [...weights].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]),
  );
  const config = {
    ...CONFIG,
    codebooks: codebooks.length,
    codebook_size: codebooks[0].length / FEATURES,
  };
  console.log(`${recordings.length} recordings, ${steps} steps`);
  const started = Date.now();
  let sums = { loss: 0, logL1: 0, melL1: 0, convergence: 0 };
  const events = optimize(weights, OBJECTIVE, {
    device,
    steps,
    batches: () => [makeBatch(recordings, codebooks, uniform)],
    learningRate: (step) => learningRate(step + 1, steps),
    maxGradNorm: MAX_GRAD_NORM,
    adamw: OPTIMIZER,
    async afterStep(step, snapshot) {
      if (step % AVERAGE_EVERY === 0) await updateAverage(average, parametersOf(snapshot), step);
      if (step % 1000 === 0 || step === steps)
        await saveSpectralCodec(OUTPUT, { config, scale, codebooks, decoder: average });
    },
  });
  for await (const event of events) {
    if (event.type !== 'step') continue;
    const { step, metrics } = event;
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += metrics[name];
    if (step % 100 !== 0) continue;
    const means = Object.entries(sums).map(([name, sum]) => `${name} ${(sum / 100).toFixed(4)}`);
    console.log(
      `step ${step}: ${means.join(', ')}, ${((Date.now() - started) / step / 1000).toFixed(3)} s a step`,
    );
    sums = { loss: 0, logL1: 0, melL1: 0, convergence: 0 };
  }
}

/** Linear warm-up, then a cosine down to a twentieth of the peak. */
function learningRate(step: number, steps: number): number {
  const cosine = 0.5 * (1 + Math.cos((Math.PI * step) / steps));
  return PEAK_LEARNING_RATE * Math.min(1, step / WARMUP_STEPS) * (0.05 + 0.95 * cosine);
}

/** Early on the average forgets faster, so that the first weights do not stay in it. */
async function updateAverage(
  average: Map<string, FloatTensor>,
  weights: ReadonlyMap<string, DeferredTensor>,
  step: number,
): Promise<void> {
  const keep = Math.min(AVERAGE_DECAY, (step + 1) / (step + 10)) ** AVERAGE_EVERY;
  for (const [name, { data }] of average) {
    const current = (await weights.get(name)!.read()) as Float32Array;
    for (let i = 0; i < current.length; i++) data[i] = keep * data[i] + (1 - keep) * current[i];
  }
}

const program = createProgram(
  'node dist/recipes/default/train-codec.js',
  `train the codec's decoder network, after codebooks.js, and write ${OUTPUT}`,
)
  .argument('[steps]', 'so many steps', wholeNumber(), 4000)
  .argument(
    '[recordings]',
    'sentences to train on, of which the first are held out',
    wholeNumber(FEWEST_SENTENCES),
    1500,
  )
  .parse();
const [steps, recordings] = program.processedArgs as [number, number];
await train(steps, recordings);
