/**
 * Supervised training by cross entropy, on the same optimizer and engine as DPO: how a policy and its non-autoregressive partner
 * are made before anyone prefers anything.
 */
import type { BartConfig } from '../checkpoint/bart-config.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { tf, type Device, type InputSpec } from '../engine/index.js';
import { causalMask, decode, encode } from '../policy/bart.js';
import { headLogits } from '../policy/head.js';
import { labelLogProbs } from '../policy/log-probs.js';
import { attentionMask, lengthMask, padIds, padPositions, steppedLength } from '../policy/padding.js';
import { ADAMW_DEFAULTS } from './adamw.js';
import { BUFFERS, compileBatch, splitTrained } from './gradient-program.js';
import type { Arrays, BatchProgram, Objective } from './objective.js';
import { linearDecay, optimize } from './optimize.js';
import { parametersOf } from './training-state.js';

/** One sequence. A position is the ids whose embeddings are summed there: one id, or one of each codebook. */
export interface Example {
  source: readonly (readonly number[])[];
  decoder: readonly (readonly number[])[];
  /** Index into `head` for every decoder position. */
  labels: readonly number[];
}

/** The examples of one step, and the vocabulary rows their labels index. */
export interface SupervisedBatch {
  examples: readonly Example[];
  head: Int32Array;
}

export interface SupervisedTask {
  /** False for the non-autoregressive partner, which sees the whole decoder input. */
  causal: boolean;
  /** Ids summed at a position of source and decoder; shorter positions are filled with pad. */
  sourceIds: number;
  decoderIds: number;
  batch(step: number): SupervisedBatch;
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

export interface SupervisedMetrics {
  /** Mean negative log-likelihood of a label, nats. */
  loss: number;
  /** Share of labels that are the arg max. */
  accuracy: number;
}

export interface SupervisedStep extends SupervisedMetrics {
  step: number;
  learningRate: number;
  gradNorm: number;
}

/** Lengths are rounded up to this, so that few shapes are compiled. */
const LENGTH_STEP = 32;

interface Model {
  readonly config: BartConfig;
  readonly weights: Map<string, HostTensor>;
}

/**
 * Trains `model.weights` in place; they are refreshed whenever the consumer asks by `next(true)` and at the end.
 * @throws if a loss or gradient is not finite, naming the step
 */
export async function* trainSupervised(
  model: Model,
  task: SupervisedTask,
  options: SupervisedOptions,
): AsyncGenerator<SupervisedStep, void, boolean | undefined> {
  let asked: boolean | undefined;
  const events = optimize(model.weights, supervisedObjective(model.config, task), {
    device: options.device,
    steps: options.steps,
    batches: (step) => [task.batch(step)],
    learningRate: linearDecay(options.learningRate, options),
    maxGradNorm: options.maxGradNorm,
    adamw: { ...ADAMW_DEFAULTS, weightDecay: options.weightDecay },
    async afterStep(_, snapshot) {
      if (!asked) return;
      for (const [name, { shape, read }] of parametersOf(snapshot))
        model.weights.set(name, { shape, dtype: 'float32', data: (await read()) as Float32Array });
    },
  });
  for await (const event of events) {
    if (event.type !== 'step') continue;
    const { step, metrics, learningRate, gradNorm } = event;
    asked = yield { step, ...metrics, learningRate, gradNorm };
  }
}

/** Mean loss and accuracy over labels, without training. */
export async function evaluateSupervised(
  model: Model,
  task: SupervisedTask,
  steps: number,
  device: Device,
): Promise<SupervisedMetrics> {
  const objective = supervisedObjective(model.config, task);
  const split = splitTrained(model.weights);
  const feeds = Object.fromEntries(
    [...split.trained].map(([name, { data }]) => [name, data as Float32Array]),
  );
  const sums = { loss: 0, accuracy: 0, labels: 0 };
  for (let step = 0; step < steps; step++) {
    const batch = task.batch(step);
    const program = objective.program(objective.shape(batch));
    const run = await compileBatch(program, split, { device, backward: false });
    const outputs = await run({ ...feeds, ...objective.collate(batch, [batch]) }).finally(() =>
      run.dispose(),
    );
    const { loss, accuracy } = objective.metrics([batch], [outputs]);
    const labels = countLabels([batch]);
    sums.loss += loss * labels;
    sums.accuracy += accuracy * labels;
    sums.labels += labels;
  }
  return { loss: sums.loss / sums.labels, accuracy: sums.accuracy / sums.labels };
}

interface ExampleShape {
  rows: number;
  sourceLength: number;
  decoderLength: number;
  head: number;
}

/** Cross entropy of the labels, a mean over all labels of a step. */
function supervisedObjective(
  config: BartConfig,
  task: SupervisedTask,
): Objective<SupervisedBatch, ExampleShape, SupervisedMetrics> {
  const shape = ({ examples, head }: SupervisedBatch): ExampleShape => ({
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
  });
  return {
    fixed: BUFFERS,
    shape,
    program: (sizes) => exampleProgram(config, task, sizes),
    collate: (batch, step) => collateExamples(batch, shape(batch), countLabels(step), task, config),
    metrics: (_, outputs) => ({ loss: sumOf(outputs, 'loss'), accuracy: sumOf(outputs, 'accuracy') }),
  };
}

const sumOf = (outputs: readonly Arrays[], name: string): number =>
  outputs.reduce((sum, output) => sum + output[name][0], 0);

const countLabels = (batches: readonly SupervisedBatch[]): number =>
  batches.reduce(
    (sum, { examples }) => examples.reduce((labels, example) => labels + example.labels.length, sum),
    0,
  );

function collateExamples(
  { examples, head }: SupervisedBatch,
  { sourceLength, decoderLength }: ExampleShape,
  labelsOfStep: number,
  task: SupervisedTask,
  config: BartConfig,
): Arrays {
  const pad = config.pad_token_id;
  const sources = examples.map(({ source }) => source);
  const decoded = examples.map(({ decoder }) => decoder);
  const labels = examples.map((example) => example.labels);
  return {
    sourceIds: padPositions(sources, sourceLength, task.sourceIds, pad),
    sourceMask: attentionMask(sources, sourceLength),
    decoderIds: padPositions(decoded, decoderLength, task.decoderIds, pad),
    labels: padIds(labels, decoderLength, 0),
    labelWeights: lengthMask(labels, decoderLength, 1 / labelsOfStep, 0),
    head,
    ...(task.causal ? {} : { decoderMask: attentionMask(decoded, decoderLength) }),
  };
}

function exampleProgram(
  config: BartConfig,
  task: SupervisedTask,
  { rows, sourceLength, decoderLength, head }: ExampleShape,
): BatchProgram {
  const ids = (length: number, each: number): InputSpec => ({
    shape: each === 1 ? [rows, length] : [rows, length, each],
    dtype: 'int32',
  });
  return {
    inputs: {
      sourceIds: ids(sourceLength, task.sourceIds),
      sourceMask: { shape: [rows, sourceLength], dtype: 'float32' },
      decoderIds: ids(decoderLength, task.decoderIds),
      labels: { shape: [rows * decoderLength], dtype: 'int32' },
      labelWeights: { shape: [rows * decoderLength], dtype: 'float32' },
      head: { shape: [head], dtype: 'int32' },
      ...(task.causal ? {} : { decoderMask: { shape: [rows, decoderLength], dtype: 'float32' } }),
    },
    constants: task.causal
      ? { causalMask: { shape: [decoderLength, decoderLength], data: causalMask(decoderLength) } }
      : {},
    forward(w) {
      const encoded = encode(config, w, w.sourceIds, w.sourceMask);
      const selfMask = task.causal ? w.causalMask : tf.reshape(w.decoderMask, [rows, 1, 1, decoderLength]);
      const hidden = decode(config, w, { ids: w.decoderIds, encoded, encoderMask: w.sourceMask, selfMask });
      const logits = headLogits(w, tf.reshape(hidden, [rows * decoderLength, config.d_model]), w.head);
      const loss = tf.neg(tf.sum(tf.mul(labelLogProbs(logits, w.labels), w.labelWeights)));
      const correct = tf.cast(tf.equal(tf.argMax(logits, -1), w.labels), 'float32');
      return { loss, accuracy: tf.sum(tf.mul(correct, w.labelWeights)) };
    },
    loss: ({ loss }) => loss,
  };
}
