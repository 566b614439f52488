import { implicitRewards, tf, type PreferenceLoss } from '../../lib/index.js';

/** The exponential loss of generalized preference optimization (Tang et al. 2024, arXiv:2402.05749): exp(-(chosen - rejected)) of the implicit rewards. */
export function exponentialLoss(beta: number): PreferenceLoss {
  return {
    name: 'exponential',
    needsReference: true,
    compute(inputs) {
      const rewards = implicitRewards(inputs, beta);
      const margins = tf.sub(rewards.chosenRewards, rewards.rejectedRewards);
      return { losses: tf.exp(tf.neg(margins)), ...rewards };
    },
  };
}
