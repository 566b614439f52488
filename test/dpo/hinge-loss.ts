import { implicitRewards, tf, type PreferenceLoss } from '../../lib/index.js';

/** SLiC's hinge on the implicit rewards (Zhao et al. 2023, arXiv:2305.10425; TRL loss_type "hinge"): max(0, 1 - (chosen - rejected)). */
export function hingeLoss(beta: number): PreferenceLoss {
  return {
    name: 'hinge',
    needsReference: true,
    compute(inputs) {
      const rewards = implicitRewards(inputs, beta);
      const margins = tf.sub(rewards.chosenRewards, rewards.rejectedRewards);
      return { losses: tf.relu(tf.sub(1, margins)), ...rewards };
    },
  };
}
