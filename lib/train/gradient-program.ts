/** Turns a loss written in TensorFlow.js into a program that also gives the gradient of every trained weight. */
import type { Tensor } from '@tensorflow/tfjs';
import type { HostTensor } from '../engine/host-tensor.js';
import { LOGITS_BIAS } from '../checkpoint/bart-weights.js';
import { tf, type DeviceTensor, type TensorProgram } from '../engine/index.js';

/** A scalar `loss` and whatever else is to be read of the forward pass. */
export type Loss = (tensors: Record<string, Tensor>) => { loss: Tensor } & Record<string, Tensor>;

const OUTPUT_PREFIX = 'gradient of ';

/** Output name of a weight's gradient. */
export const gradientOf = (weight: string): string => OUTPUT_PREFIX + weight;

/** `loss` with one more output for each trained weight: the loss's gradient. */
export function withGradients(loss: Loss, trained: readonly string[]): TensorProgram {
  return (inputs) => {
    let forward: ReturnType<Loss> | undefined;
    const { grads } = tf.valueAndGrads((...weights: Tensor[]) => {
      const named = Object.fromEntries(trained.map((name, i) => [name, weights[i]]));
      forward = loss({ ...inputs, ...named });
      for (const value of Object.values(forward)) tf.keep(value);
      return forward.loss as ReturnType<typeof tf.scalar>;
    })(trained.map((name) => inputs[name]));
    return { ...forward!, ...Object.fromEntries(trained.map((name, i) => [gradientOf(name), grads[i]])) };
  };
}

/** Where a compiled `withGradients` program writes its gradients. */
export function gradientOutputs(
  gradients: Readonly<Record<string, DeviceTensor>>,
): Record<string, DeviceTensor> {
  return Object.fromEntries(Object.entries(gradients).map(([name, place]) => [gradientOf(name), place]));
}

/** The weights an optimizer changes (all but the buffer `final_logits_bias`) and, as compile constants, the rest. */
export function splitTrained(weights: ReadonlyMap<string, HostTensor>) {
  const trained = new Map([...weights].filter(([name]) => name !== LOGITS_BIAS));
  const bias = weights.get(LOGITS_BIAS)!;
  return { trained, fixed: { [LOGITS_BIAS]: { shape: bias.shape, data: bias.data as Float32Array } } };
}
