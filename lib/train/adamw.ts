/** AdamW (Loshchilov & Hutter 2019) as torch.optim.AdamW computes it; the device runs it (`DeviceOptimizer`). */
import type { AdamWUpdate } from '../engine/index.js';

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled: every step first multiplies the parameters that decay ({@link isDecayed}) by 1 - learningRate * weightDecay. */
  weightDecay: number;
}

/** torch's and transformers' defaults, weight decay 0. */
export const ADAMW_DEFAULTS: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * Whether a parameter of this shape decays: matrices and convolutions do, embeddings and adapters among them; biases and the gains of
 * normalizations, which are vectors, do not. Of BART and its adapters these are the parameters that transformers' Trainer decays
 * (`get_decay_parameter_names`), where torch.optim.AdamW by itself decays all.
 */
export const isDecayed = (shape: readonly number[]): boolean => shape.length > 1;

/** The scalars of the update at step number `t` (1 at the first step). */
export function adamwUpdate(
  options: AdamWOptions,
  t: number,
  learningRate: number,
  gradientScale: number,
): AdamWUpdate {
  const { beta1, beta2, epsilon, weightDecay } = options;
  return {
    gradientScale,
    decay: 1 - learningRate * weightDecay,
    oneMinusBeta1: 1 - beta1,
    beta2,
    oneMinusBeta2: 1 - beta2,
    root: Math.sqrt(1 - beta2 ** t),
    epsilon,
    step: learningRate / (1 - beta1 ** t),
  };
}
