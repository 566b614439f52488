/** Losses that judge chosen and rejected completion each on its own, by its implicit reward: r for chosen, s for rejected. */
import { exactScalar, tf } from '../../engine/index.js';
import { lossOfRewards, type PreferenceLoss } from '../preference-loss.js';
import { negativeLogSigmoid } from './margin.js';

/** NCA for pairs (Chen et al. 2024, arXiv:2402.05369; TRL "nca_pair"): -log sigmoid(r) - ½ log sigmoid(-r) - ½ log sigmoid(-s). */
export function ncaPairLoss(beta: number): PreferenceLoss {
  return lossOfRewards(
    { name: 'nca_pair', unit: 'nats' },
    beta,
    ({ chosenRewards: chosen, rejectedRewards: rejected }) =>
      tf.add(negativeLogSigmoid(chosen), tf.mul(tf.add(tf.softplus(chosen), tf.softplus(rejected)), 0.5)),
  );
}

/** BCO for pairs (Jung et al. 2024, arXiv:2404.04656; TRL "bco_pair" since 1.0, without the running mean): -log sigmoid(r) - log sigmoid(-s). */
export function bcoPairLoss(beta: number): PreferenceLoss {
  return lossOfRewards(
    { name: 'bco_pair', unit: 'nats' },
    beta,
    ({ chosenRewards: chosen, rejectedRewards: rejected }) =>
      tf.add(negativeLogSigmoid(chosen), tf.softplus(rejected)),
  );
}

/** SPPO with hard labels (Wu et al. 2024, arXiv:2405.00675, eq. 4.7; TRL "sppo_hard"): (r/beta - 1/(2 beta))² + (s/beta + 1/(2 beta))². */
export function sppoHardLoss(beta: number): PreferenceLoss {
  return lossOfRewards({ name: 'sppo_hard' }, beta, (_, { policy, reference }) => {
    const half = exactScalar(0.5 / beta);
    return tf.add(
      tf.square(tf.sub(tf.sub(policy.chosen, reference.chosen), half)),
      tf.square(tf.add(tf.sub(policy.rejected, reference.rejected), half)),
    );
  });
}

/**
 * APO-zero (D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 7; TRL "apo_zero"): (1 - sigmoid(r)) + sigmoid(s). Chosen completions become likelier,
 * rejected ones less likely: for chosen completions that are better than what the policy writes.
 */
export function apoZeroLoss(beta: number): PreferenceLoss {
  return lossOfRewards({ name: 'apo_zero' }, beta, ({ chosenRewards: chosen, rejectedRewards: rejected }) =>
    tf.add(tf.sub(1, tf.sigmoid(chosen)), tf.sigmoid(rejected)),
  );
}

/**
 * APO-down (the same, eq. 8; TRL "apo_down"): sigmoid(r) + (1 - sigmoid(r - s)). Both become less likely, rejected ones more so: for chosen
 * completions that are worse than what the policy writes.
 */
export function apoDownLoss(beta: number): PreferenceLoss {
  return lossOfRewards({ name: 'apo_down' }, beta, ({ chosenRewards: chosen, rejectedRewards: rejected }) =>
    tf.add(tf.sigmoid(chosen), tf.sub(1, tf.sigmoid(tf.sub(chosen, rejected)))),
  );
}
