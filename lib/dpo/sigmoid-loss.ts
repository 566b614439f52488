/** The loss of Direct Preference Optimization. */
import { tf } from '../engine/index.js';
import { implicitRewards, type PreferenceLoss } from './preference-loss.js';

/**
 * Rafailov et al. 2023, eq. 7 (TRL loss_type "sigmoid", label_smoothing 0): -log sigmoid(chosen - rejected) of the implicit rewards.
 * @param beta how far the policy may leave the reference
 */
export function sigmoidLoss(beta: number): PreferenceLoss {
  return {
    name: 'sigmoid',
    needsReference: true,
    compute(inputs) {
      const rewards = implicitRewards(inputs, beta);
      // softplus(-x) is -log sigmoid(x), without overflow for large |x|.
      return { losses: tf.softplus(tf.sub(rewards.rejectedRewards, rewards.chosenRewards)), ...rewards };
    },
  };
}
