/** Gradients, ten DPO steps and the final weights against TRL. */
import { join } from 'node:path';
import type { HostTensor } from '../engine/host-tensor.js';
import type { Device } from '../engine/index.js';
import { readSafetensors } from '../checkpoint/safetensors.js';
import { batchShape, collatePairs, labelCounts, type PreferencePair } from '../dpo/batch.js';
import { meanOf } from '../mean.js';
import { compileBatch, gradientOf, splitTrained } from '../train/gradient-program.js';
import { pairProgram } from '../dpo/pair-program.js';
import { sigmoidLoss } from '../dpo/losses/margin.js';
import { trainDpo, type DpoEvent } from '../dpo/trainer.js';
import { buffersOf } from '../policy/architecture.js';
import type { Bart } from './forward.js';
import type { DpoGolden } from './golden.js';
import { heldToNoise, NO_NOISE, type Noise } from './noise.js';
import { largestDifference, row, type VerifyRow } from './rows.js';

const GRADIENT_TOLERANCE = 1e-4;
const LOGPS_TOLERANCE = 2e-4;
const LOSS_TOLERANCE = 5e-5;
const WEIGHT_TOLERANCE = 5e-6;

/** A key's bias changes no attention weight: its gradient is zero but for rounding, which AdamW blows up to full steps. */
export const isUndetermined = (name: string) => name.endsWith('k_proj.bias');

const pairsOf = (golden: DpoGolden): PreferencePair[] =>
  golden.tokenized_rows.map((item) => ({
    prompt: item.prompt_input_ids,
    chosen: item.chosen_labels,
    rejected: item.rejected_labels,
  }));

/** Gradients of the first batch at the initial weights, by weight name. */
export async function computeFirstGradients(
  model: Bart,
  golden: DpoGolden,
  device: Device,
): Promise<Map<string, Float32Array>> {
  const pairs = pairsOf(golden).slice(0, golden.args.per_device_train_batch_size);
  const split = splitTrained(model.weights, buffersOf(model));
  const { trained } = split;
  const shape = batchShape(pairs, model.config);
  const program = pairProgram(model, shape, { loss: sigmoidLoss(golden.args.beta) });
  const run = await compileBatch(program, split, { device, backward: true });
  const feeds = Object.fromEntries([...trained].map(([name, { data }]) => [name, data as Float32Array]));
  const first = golden.train_steps[0];
  const reference = Float32Array.from(
    pairs.flatMap((_, i) => [first.policy_chosen_logps[i], first.policy_rejected_logps[i]]),
  );
  const results = await run({
    ...feeds,
    ...collatePairs(pairs, shape, model),
    reference,
    labelCounts: labelCounts(pairs),
    pairWeights: new Float32Array(pairs.length).fill(1 / pairs.length),
  }).finally(() => run.dispose());
  return new Map([...trained.keys()].map((name) => [name, results[gradientOf(name)] as Float32Array]));
}

/** Gradients of the first batch: relative L2 error, the worst tensor. */
export async function verifyGradients(
  model: Bart,
  golden: DpoGolden,
  directory: string,
  device: Device,
  { step0_grads: noise }: Noise = NO_NOISE,
): Promise<VerifyRow> {
  const expected = await readSafetensors(join(directory, 'grads_step0_f32.safetensors'));
  const gradients = await computeFirstGradients(model, golden, device);
  const compared = [...expected.keys()].filter((name) => !isUndetermined(name));
  const errors = compared.map((name) => relativeL2(gradients.get(name), expected.get(name)!));
  const relativeNoise = compared
    .map((name) => noise[name] ?? [0, 0])
    .map(([difference, largest]) => (largest > 0 ? difference / largest : 0));
  return heldToNoise(
    row(
      `gradients of step 0, relative L2, worst of ${compared.length} tensors`,
      Math.max(...errors),
      GRADIENT_TOLERANCE,
    ),
    ...relativeNoise,
  );
}

function relativeL2(actual: ArrayLike<number> | undefined, { data }: HostTensor): number {
  if (actual?.length !== data.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < actual.length; i++) {
    difference += (actual[i] - Number(data[i])) ** 2;
    size += Number(data[i]) ** 2;
  }
  const error = Math.sqrt(difference / size);
  return Number.isNaN(error) ? Infinity : error;
}

function trainGolden(model: Bart, golden: DpoGolden, device: Device): AsyncGenerator<DpoEvent> {
  const { args } = golden;
  const pairs = pairsOf(golden);
  const stepsPerEpoch = Math.ceil(pairs.length / args.per_device_train_batch_size);
  return trainDpo(model, pairs, {
    device,
    beta: args.beta,
    learningRate: args.learning_rate,
    epochs: args.max_steps / stepsPerEpoch,
    batchSize: args.per_device_train_batch_size,
    maxGradNorm: args.max_grad_norm,
    seed: 0,
    shuffle: false,
  });
}

/** The golden run again, step by step, in TRL's sequential order. Trains `model.weights`. */
export async function verifySteps(
  model: Bart,
  golden: DpoGolden,
  device: Device,
  { train_steps: noise }: Noise = NO_NOISE,
): Promise<VerifyRow[]> {
  const steps = golden.train_steps;
  const noNumbers = () => ({
    logps: [] as number[],
    losses: [] as number[],
    rewards: [] as number[],
    norms: [] as number[],
  });
  const [actual, expected] = [noNumbers(), noNumbers()];
  for await (const event of trainGolden(model, golden, device)) {
    if (event.type !== 'step') continue;
    const { metrics } = event;
    const step = steps[event.step - 1];
    actual.logps.push(...event.logps);
    expected.logps.push(
      ...step.policy_chosen_logps.flatMap((chosen, i) => [chosen, step.policy_rejected_logps[i]]),
    );
    actual.losses.push(metrics.loss);
    expected.losses.push(step.loss);
    actual.rewards.push(metrics['rewards/chosen']!, metrics['rewards/rejected']!);
    expected.rewards.push(meanOf(step.chosen_rewards), meanOf(step.rejected_rewards));
    actual.norms.push(metrics.grad_norm!);
    expected.norms.push(step.grad_norm_before_clip);
  }
  const logps = `log-probabilities over ${steps.length} steps`;
  return [
    heldToNoise(
      largestDifference(logps, actual.logps, expected.logps, LOGPS_TOLERANCE),
      noise.policy_chosen_logps,
      noise.policy_rejected_logps,
    ),
    heldToNoise(largestDifference('losses', actual.losses, expected.losses, LOSS_TOLERANCE), noise.loss),
    heldToNoise(
      largestDifference('rewards', actual.rewards, expected.rewards, LOSS_TOLERANCE),
      noise.chosen_rewards,
      noise.rejected_rewards,
    ),
    heldToNoise(
      largestDifference('gradient norms', actual.norms, expected.norms, GRADIENT_TOLERANCE),
      noise.grad_norm_before_clip,
    ),
  ];
}

/** The weights after the golden run's last step. */
export async function verifyFinalWeights(
  { weights }: Pick<Bart, 'weights'>,
  directory: string,
  { final_params_maxabs: noise }: Noise = NO_NOISE,
): Promise<VerifyRow> {
  const final = await readSafetensors(join(directory, 'final_f32', 'model.safetensors'));
  const compared = [...final].filter(([name]) => !isUndetermined(name));
  const weightRows = compared.map(([name, { data }]) =>
    largestDifference(
      name,
      (weights.get(name)?.data ?? []) as Float32Array,
      data as Float32Array,
      WEIGHT_TOLERANCE,
    ),
  );
  return heldToNoise(
    row(
      `final weights, worst of ${compared.length} tensors`,
      Math.max(...weightRows.map(({ difference }) => difference)),
      WEIGHT_TOLERANCE,
    ),
    ...compared.map(([name]) => noise[name]?.[0]),
  );
}
