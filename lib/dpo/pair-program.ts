/** Preference pairs through the policy: log-probabilities, and the loss with its gradients, compiled for one batch shape. */
import type { BartConfig } from '../checkpoint/bart-config.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { compile, tf, type Compiled, type Device, type InputSpec } from '../engine/index.js';
import { causalMask } from '../policy/bart.js';
import { weightSpecs } from '../policy/resident-weights.js';
import type { BatchShape } from './batch.js';
import { withGradients, type splitTrained } from '../train/gradient-program.js';
import { chosenNll, pairLogProbs, sigmoidLoss, type PairTensors } from './loss.js';

interface PairProgram {
  device: Device;
  trained: ReadonlyMap<string, HostTensor>;
  fixed: ReturnType<typeof splitTrained>['fixed'];
  backward: boolean;
  beta: number;
  /** Weight of `chosenNll` in the loss; default 0. */
  rpoAlpha?: number;
}

/**
 * The program of one batch shape: `logps` [B, 2] of `collatePairs` arrays and the weights; with `backward` also the loss against
 * `reference` [B, 2], weighted by `pairWeights` [B], and its gradients (`gradientOutputs`). With `rpoAlpha` the mean of `chosenNll` is over
 * `chosenLabels` [].
 */
export function compilePairProgram(
  config: BartConfig,
  shape: BatchShape,
  { device, trained, fixed, backward, beta, rpoAlpha = 0 }: PairProgram,
): Promise<Compiled> {
  const { pairs, promptLength, completionLength } = shape;
  const rows = 2 * pairs;
  const inputs: Record<string, InputSpec> = {
    ...weightSpecs(trained),
    promptIds: { shape: [pairs, promptLength], dtype: 'int32' },
    promptMask: { shape: [pairs, promptLength], dtype: 'float32' },
    decoderIds: { shape: [rows, completionLength], dtype: 'int32' },
    labels: { shape: [rows * completionLength], dtype: 'int32' },
    labelMask: { shape: [rows, completionLength], dtype: 'float32' },
  };
  const constants = {
    ...fixed,
    causalMask: { shape: [completionLength, completionLength], data: causalMask(completionLength) },
  };
  const logProbs = (w: Parameters<typeof pairLogProbs>[1]) =>
    pairLogProbs(config, w, w as unknown as PairTensors);
  if (!backward) return compile((w) => ({ logps: logProbs(w) }), inputs, { device, constants });
  const loss = withGradients(
    (w) => {
      const logps = logProbs(w);
      const loss = sigmoidLoss(logps, w.reference, w.pairWeights, beta);
      if (rpoAlpha === 0) return { loss, logps };
      return { loss: tf.add(loss, tf.mul(chosenNll(logps, w.pairWeights, w.chosenLabels), rpoAlpha)), logps };
    },
    [...trained.keys()],
  );
  const targets: Record<string, InputSpec> = {
    reference: { shape: [pairs, 2], dtype: 'float32' },
    pairWeights: { shape: [pairs], dtype: 'float32' },
    ...(rpoAlpha === 0 ? {} : { chosenLabels: { shape: [], dtype: 'float32' } }),
  };
  return compile(loss, { ...inputs, ...targets }, { device, constants });
}
