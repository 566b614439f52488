/**
 * Supervised training by cross entropy, on the same optimizer and engine as DPO: how a policy and its non-autoregressive partner
 * are made before anyone prefers anything.
 */
import type { Tensor } from '@tensorflow/tfjs';
import type { BartConfig } from '../checkpoint/bart-config.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { compile, keepPrograms, tf, type Compiled, type Device, type InputSpec } from '../engine/index.js';
import { causalMask, decode, encode } from '../policy/bart.js';
import { headLogits } from '../policy/head.js';
import { labelLogProbs } from '../policy/log-probs.js';
import { attentionMask, lengthMask, padIds, padPositions, steppedLength } from '../policy/padding.js';
import { weightSpecs } from '../policy/resident-weights.js';
import { shuffled } from '../random.js';
import { releaseAll } from '../release.js';
import { ADAMW_DEFAULTS } from './adamw.js';
import { gradientOutputs, splitTrained, withGradients } from './gradient-program.js';
import { MOST_PROGRAMS, openTrainingState } from './training-state.js';

/** One sequence. A position is the ids whose embeddings are summed there: one id, or one of each codebook. */
export interface Example {
  source: readonly (readonly number[])[];
  decoder: readonly (readonly number[])[];
  /** Index into `head` for every decoder position. */
  labels: readonly number[];
}

export interface SupervisedTask {
  /** False for the non-autoregressive partner, which sees the whole decoder input. */
  causal: boolean;
  /** Ids summed at a position of source and decoder; shorter positions are filled with pad. */
  sourceIds: number;
  decoderIds: number;
  /** The examples of one step, and the vocabulary rows their labels index. */
  batch(step: number): { examples: readonly Example[]; head: Int32Array };
}

export interface SupervisedOptions {
  device: Device;
  steps: number;
  /** Peak, reached after `warmupSteps`, then decays linearly to 0. */
  learningRate: number;
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
}

export interface SupervisedStep {
  step: number;
  /** Mean negative log-likelihood of a label, nats. */
  loss: number;
  /** Share of labels that are the arg max. */
  accuracy: number;
  learningRate: number;
  gradNorm: number;
}

/** Lengths are rounded up to this, so that few shapes are compiled. */
const LENGTH_STEP = 32;

interface Model {
  readonly config: BartConfig;
  readonly weights: Map<string, HostTensor>;
}

/** Trains `model.weights` in place; they are refreshed whenever the consumer asks by `next(true)` and at the end. */
export async function* trainSupervised(
  model: Model,
  task: SupervisedTask,
  options: SupervisedOptions,
): AsyncGenerator<SupervisedStep, void, boolean | undefined> {
  const { trained, fixed } = splitTrained(model.weights);
  const state = await openTrainingState(trained, options.device, {
    ...ADAMW_DEFAULTS,
    weightDecay: options.weightDecay,
  });
  const programs = keepPrograms(MOST_PROGRAMS);
  const refresh = () =>
    state.download((name, data) => {
      model.weights.set(name, { shape: model.weights.get(name)!.shape, dtype: 'float32', data });
    });
  try {
    for (let step = 0; step < options.steps; step++) {
      const { examples, head } = task.batch(step);
      const shape = exampleShape(examples, head, model.config);
      const run = await programs.get(JSON.stringify(shape), () =>
        compileTask(model.config, task, shape, { device: options.device, trained, fixed }),
      );
      const result = await run(
        { ...state.parameters, ...collateExamples(examples, head, shape, task, model.config) },
        gradientOutputs(state.gradients),
      );
      const learningRate = warmupLinear(step, options);
      const gradNorm = await state.step(learningRate, options.maxGradNorm);
      if (!Number.isFinite(gradNorm))
        throw new Error(`the gradient norm is ${gradNorm} at optimizer step ${step + 1}`);
      const asked = yield {
        step: step + 1,
        loss: result.loss[0],
        accuracy: result.accuracy[0],
        learningRate,
        gradNorm,
      };
      if (asked) await refresh();
    }
    await refresh();
  } finally {
    await releaseAll([() => state.release(), () => programs.release()]);
  }
}

/** Mean loss and accuracy over labels, without training. */
export async function evaluateSupervised(
  model: Model,
  task: SupervisedTask,
  steps: number,
  device: Device,
): Promise<{ loss: number; accuracy: number }> {
  const { trained, fixed } = splitTrained(model.weights);
  const feeds = Object.fromEntries([...trained].map(([name, { data }]) => [name, data as Float32Array]));
  const sums = { loss: 0, accuracy: 0, labels: 0 };
  for (let step = 0; step < steps; step++) {
    const { examples, head } = task.batch(step);
    const shape = exampleShape(examples, head, model.config);
    const run = await compileTask(model.config, task, shape, { device, trained, fixed, backward: false });
    const { loss, accuracy } = await run({
      ...feeds,
      ...collateExamples(examples, head, shape, task, model.config),
    }).finally(() => run.dispose());
    const labels = examples.reduce((total, example) => total + example.labels.length, 0);
    sums.loss += loss[0] * labels;
    sums.accuracy += accuracy[0] * labels;
    sums.labels += labels;
  }
  return { loss: sums.loss / sums.labels, accuracy: sums.accuracy / sums.labels };
}

/** Endless batches over `items`, reshuffled every epoch; items of similar size share a batch, so that little is padding. */
export function bucketedBatches<T>(
  items: readonly T[],
  batchSize: number,
  seed: number,
  size: (item: T) => number,
): (step: number) => T[] {
  const perEpoch = Math.floor(items.length / batchSize);
  if (perEpoch === 0) throw new Error(`${items.length} items do not fill a batch of ${batchSize}`);
  const epochs = new Map<number, T[][]>();
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    if (!epochs.has(epoch)) {
      const order = shuffled(items, seed, epoch);
      const batches: T[][] = [];
      const pool = batchSize * 32;
      for (let start = 0; start < order.length; start += pool) {
        const sorted = order.slice(start, start + pool).sort((a, b) => size(a) - size(b));
        for (let i = 0; i + batchSize <= sorted.length; i += batchSize)
          batches.push(sorted.slice(i, i + batchSize));
      }
      epochs.clear();
      epochs.set(epoch, shuffled(batches, seed, epoch, 1));
    }
    const batches = epochs.get(epoch)!;
    return batches[(step % perEpoch) % batches.length];
  };
}

function warmupLinear(step: number, { learningRate, warmupSteps, steps }: SupervisedOptions): number {
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  return (learningRate * (steps - step)) / (steps - warmupSteps);
}

interface ExampleShape {
  rows: number;
  sourceLength: number;
  decoderLength: number;
  head: number;
}

function exampleShape(examples: readonly Example[], head: Int32Array, config: BartConfig): ExampleShape {
  return {
    rows: examples.length,
    sourceLength: steppedLength(
      examples.map(({ source }) => source.length),
      LENGTH_STEP,
      config,
    ),
    decoderLength: steppedLength(
      examples.map(({ labels }) => labels.length),
      LENGTH_STEP,
      config,
    ),
    head: head.length,
  };
}

function collateExamples(
  examples: readonly Example[],
  head: Int32Array,
  shape: ExampleShape,
  task: SupervisedTask,
  config: BartConfig,
) {
  const { sourceLength, decoderLength } = shape;
  const pad = config.pad_token_id;
  const sources = examples.map(({ source }) => source);
  const decoded = examples.map(({ decoder }) => decoder);
  const labels = examples.map((example) => example.labels);
  const total = labels.reduce((sum, row) => sum + row.length, 0);
  return {
    sourceIds: padPositions(sources, sourceLength, task.sourceIds, pad),
    sourceMask: attentionMask(sources, sourceLength),
    decoderIds: padPositions(decoded, decoderLength, task.decoderIds, pad),
    labels: padIds(labels, decoderLength, 0),
    labelWeights: lengthMask(labels, decoderLength, 1 / total, 0),
    head,
    ...(task.causal ? {} : { decoderMask: attentionMask(decoded, decoderLength) }),
  };
}

interface TaskWeights {
  device: Device;
  trained: ReadonlyMap<string, HostTensor>;
  fixed: ReturnType<typeof splitTrained>['fixed'];
  backward?: boolean;
}

function compileTask(
  config: BartConfig,
  task: SupervisedTask,
  shape: ExampleShape,
  { device, trained, fixed, backward = true }: TaskWeights,
): Promise<Compiled> {
  const { rows, sourceLength, decoderLength } = shape;
  const ids = (length: number, each: number): InputSpec => ({
    shape: each === 1 ? [rows, length] : [rows, length, each],
    dtype: 'int32',
  });
  const inputs: Record<string, InputSpec> = {
    ...weightSpecs(trained),
    sourceIds: ids(sourceLength, task.sourceIds),
    sourceMask: { shape: [rows, sourceLength], dtype: 'float32' },
    decoderIds: ids(decoderLength, task.decoderIds),
    labels: { shape: [rows * decoderLength], dtype: 'int32' },
    labelWeights: { shape: [rows * decoderLength], dtype: 'float32' },
    head: { shape: [shape.head], dtype: 'int32' },
    ...(task.causal ? {} : { decoderMask: { shape: [rows, decoderLength], dtype: 'float32' as const } }),
  };
  const constants = {
    ...fixed,
    ...(task.causal
      ? { causalMask: { shape: [decoderLength, decoderLength], data: causalMask(decoderLength) } }
      : {}),
  };
  const program = (w: Record<string, Tensor>) => {
    const encoded = encode(config, w, w.sourceIds, w.sourceMask);
    const selfMask = task.causal ? w.causalMask : tf.reshape(w.decoderMask, [rows, 1, 1, decoderLength]);
    const hidden = decode(config, w, { ids: w.decoderIds, encoded, encoderMask: w.sourceMask, selfMask });
    const logits = headLogits(w, tf.reshape(hidden, [rows * decoderLength, config.d_model]), w.head);
    const loss = tf.neg(tf.sum(tf.mul(labelLogProbs(logits, w.labels), w.labelWeights)));
    const correct = tf.cast(tf.equal(tf.argMax(logits, -1), w.labels), 'float32');
    return { loss, accuracy: tf.sum(tf.mul(correct, w.labelWeights)) };
  };
  return compile(backward ? withGradients(program, [...trained.keys()]) : program, inputs, {
    device,
    constants,
  });
}
