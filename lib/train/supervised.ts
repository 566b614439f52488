/**
 * Supervised training by cross entropy, on the same optimizer and engine as DPO: how a policy and its non-autoregressive partner
 * are made before anyone prefers anything.
 */
import { tf, type Device } from '../engine/index.js';
import { sumOf } from '../mean.js';
import { buffersOf, type BatchSizes, type Model } from '../policy/architecture.js';
import { frozenOf } from '../policy/lora.js';
import { labelLogProbs } from '../policy/log-probs.js';
import { lengthMask, padIds, steppedLength } from '../policy/padding.js';
import { ADAMW_DEFAULTS } from './adamw.js';
import { compileBatch, splitTrained } from './gradient-program.js';
import type { Arrays, BatchProgram, Objective } from './objective.js';
import { optimize } from './optimize.js';
import { learningRates } from './schedule.js';
import type { Labelled, Sequences } from './sequences.js';
import { parametersOf } from './snapshot.js';

/** The examples of one step, and the vocabulary rows their labels index. */
export interface SupervisedBatch<Example extends Labelled = Labelled> {
  examples: readonly Example[];
  head: Int32Array;
}

export interface SupervisedTask<Example extends Labelled = Labelled> {
  /** `causalSequences` or `partnerSequences` of the model that is trained. */
  sequences: Sequences<Example>;
  batch(step: number): SupervisedBatch<Example>;
}

export interface SupervisedOptions {
  device: Device;
  steps: number;
  /** Peak, reached after `warmupSteps`, then decays linearly to 0. */
  learningRate: number;
  /** As in `countWarmupSteps`. */
  warmupSteps: number;
  /** As in `AdamWOptions`: biases and layer norms do not decay. */
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
  const events = optimize(model.weights, supervisedObjective(model, task), {
    device: options.device,
    steps: options.steps,
    batches: (step) => [task.batch(step)],
    learningRate: learningRates(options.learningRate, options),
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
  const objective = supervisedObjective(model, task);
  const split = splitTrained(model.weights, buffersOf(model), frozenOf(model));
  const feeds = Object.fromEntries(
    [...split.trained, ...split.frozen].map(([name, { data }]) => [name, data as Float32Array]),
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

interface ExampleShape extends BatchSizes {
  head: number;
}

/** Cross entropy of the labels, a mean over all labels of a step. */
function supervisedObjective(
  model: Model,
  { sequences }: SupervisedTask,
): Objective<SupervisedBatch, ExampleShape, SupervisedMetrics> {
  const longest = (lengths: number[]) => steppedLength(lengths, LENGTH_STEP, model.config);
  const shape = ({ examples, head }: SupervisedBatch): ExampleShape => ({
    prompts: examples.length,
    samples: 1,
    promptLength: longest(examples.map((example) => sequences.promptLength(example))),
    completionLength: longest(examples.map(({ labels }) => labels.length)),
    head: head.length,
  });
  return {
    fixed: buffersOf(model),
    frozen: frozenOf(model),
    shape,
    program: (sizes) => exampleProgram(model, sequences, sizes),
    collate: (batch, step) => collateExamples(batch, shape(batch), countLabels(step), sequences),
    metrics: (_, outputs) => ({
      loss: sumOf(outputs.map(({ loss }) => loss[0])),
      accuracy: sumOf(outputs.map(({ accuracy }) => accuracy[0])),
    }),
  };
}

const countLabels = (batches: readonly SupervisedBatch[]): number =>
  batches.reduce(
    (sum, { examples }) => examples.reduce((labels, example) => labels + example.labels.length, sum),
    0,
  );

function collateExamples(
  { examples, head }: SupervisedBatch,
  sizes: BatchSizes,
  labelsOfStep: number,
  sequences: Sequences,
): Arrays {
  const labels = examples.map((example) => example.labels);
  return {
    ...sequences.collate(sizes, examples, head),
    labels: padIds(labels, sizes.completionLength, 0),
    labelWeights: lengthMask(labels, sizes.completionLength, 1 / labelsOfStep, 0),
    head,
  };
}

function exampleProgram({ architecture }: Model, sequences: Sequences, shape: ExampleShape): BatchProgram {
  const { inputs, constants } = sequences.inputs(shape);
  const positions = shape.prompts * shape.completionLength;
  return {
    inputs: {
      ...inputs,
      labels: { shape: [positions], dtype: 'int32' },
      labelWeights: { shape: [positions], dtype: 'float32' },
      head: { shape: [shape.head], dtype: 'int32' },
    },
    constants,
    forward(w) {
      const hidden = sequences.hiddenStates(w);
      const states = tf.reshape(hidden, [positions, hidden.shape[2]!]);
      const logits = architecture.logits(w, states, w.head);
      const loss = tf.neg(tf.sum(tf.mul(labelLogProbs(logits, w.labels), w.labelWeights)));
      const correct = tf.cast(tf.equal(tf.argMax(logits, -1), w.labels), 'float32');
      return { loss, accuracy: tf.sum(tf.mul(correct, w.labelWeights)) };
    },
    loss: ({ loss }) => loss,
  };
}
