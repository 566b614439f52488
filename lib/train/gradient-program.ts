/** Turns a loss written in TensorFlow.js into a program that also gives the gradient of every trained weight. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { HostTensor } from '../engine/host-tensor.js';
import {
  compile,
  tf,
  type Compiled,
  type CompileOptions,
  type DeviceTensor,
  type ProgramSource,
  type TensorProgram,
} from '../engine/index.js';
import { weightSpecs } from '../policy/resident-weights.js';
import type { BatchProgram } from './objective.js';

/** A scalar `loss` and whatever else is to be read of the forward pass. */
export type Loss = (tensors: Record<string, Tensor>) => { loss: Tensor } & Record<string, Tensor>;

const OUTPUT_PREFIX = 'gradient of ';

/** Output name of a weight's gradient. */
export const gradientOf = (weight: string): string => OUTPUT_PREFIX + weight;

/**
 * `loss` with one more output for each trained weight: the loss's gradient.
 *
 * @throws Error in one sentence, when it is traced, naming a weight that the loss is no function of
 */
export function withGradients(loss: Loss, trained: readonly string[]): TensorProgram {
  return (inputs) => {
    let forward: ReturnType<Loss> | undefined;
    const valueOf = () => {
      forward = loss(inputs);
      for (const value of Object.values(forward)) tf.keep(value);
      return forward.loss;
    };
    // As tf.valueAndGrads does, which names no weight when it throws.
    const weights = trained.map((name) => inputs[name]);
    const gradients: (Tensor | undefined)[] = tf.engine().gradients(valueOf, weights, undefined, true).grads;
    checkTrainable(trained.filter((_, i) => !gradients[i]));
    return {
      ...forward!,
      ...Object.fromEntries(trained.map((name, i) => [gradientOf(name), gradients[i]!])),
    };
  };
}

/** @param untouched trained weights that the loss has no gradient of */
function checkTrainable(untouched: readonly string[]): void {
  if (untouched.length === 0) return;
  const others = untouched.length > 1 ? ` and ${untouched.length - 1} more` : '';
  throw new Error(
    `the loss does not depend on the weight "${untouched[0]}"${others}, which cannot be trained by it: a loss must be a function of the policy's log-probabilities, and hiddenStates or logits of the architecture must read every weight of which isTrained is true, an adapter's by addLowRank`,
  );
}

/** Where a compiled `withGradients` program writes its gradients. */
export function gradientOutputs(
  gradients: Readonly<Record<string, DeviceTensor>>,
): Record<string, DeviceTensor> {
  return Object.fromEntries(Object.entries(gradients).map(([name, place]) => [gradientOf(name), place]));
}

/** Weights that an optimizer changes, those that every program reads where they lie, and those that a program holds as constants. */
export interface SplitWeights {
  trained: ReadonlyMap<string, HostTensor>;
  frozen: ReadonlyMap<string, HostTensor>;
  fixed: ReadonlyMap<string, HostTensor>;
}

/**
 * @param fixed names of the constants: a model's are its `buffersOf`
 * @param frozen names of those that are read where they lie: a model's are its `frozenOf`
 */
export function splitTrained(
  weights: ReadonlyMap<string, HostTensor>,
  fixed: readonly string[],
  frozen: readonly string[] = [],
): SplitWeights {
  const constants = new Set(fixed);
  const resident = new Set(frozen);
  const where = (is: (name: string) => boolean) => new Map([...weights].filter(([name]) => is(name)));
  return {
    trained: where((name) => !constants.has(name) && !resident.has(name)),
    frozen: where((name) => resident.has(name)),
    fixed: where((name) => constants.has(name)),
  };
}

/** A batch's forward pass, which reads `inputs`; with `backward` also `loss` and its gradients (`gradientOutputs`), which read `targets` too. */
export function batchSource(
  { inputs, targets = {}, constants = {}, forward, loss }: BatchProgram,
  { trained, frozen, fixed }: SplitWeights,
  backward: boolean,
): ProgramSource {
  const fixedConstants = Object.fromEntries(
    [...fixed].map(([name, { shape, data }]) => [name, { shape, data: data as Float32Array }]),
  );
  const fed = { ...weightSpecs(trained), ...weightSpecs(frozen), ...inputs };
  const allConstants = { ...fixedConstants, ...constants };
  if (!backward) return { program: forward, inputs: fed, constants: allConstants };
  const lossOf: Loss = (tensors) => {
    const outputs = forward(tensors);
    return { ...outputs, loss: loss(outputs, tensors) };
  };
  return {
    program: withGradients(lossOf, [...trained.keys()]),
    inputs: { ...fed, ...targets },
    constants: allConstants,
  };
}

/** Compiles {@link batchSource}. */
export function compileBatch(
  batch: BatchProgram,
  weights: SplitWeights,
  { device, backward }: { device: CompileOptions['device']; backward: boolean },
): Promise<Compiled> {
  const { program, inputs, constants } = batchSource(batch, weights, backward);
  return compile(program, inputs, { device, constants, keepsRoom: true });
}
