/** Several losses at once, and the likelihood of chosen completions as one of them. */
import { exactScalar, tf } from '../../engine/index.js';
import { checkBeta, checkFactor, type PreferenceLoss, type PreferenceOutputs } from '../preference-loss.js';

/** What `sftLoss` made. Its name may be that of anybody's loss. */
const supervised = new WeakSet<PreferenceLoss>();

/**
 * Supervised training on chosen completions (TRL "sft"): their negative log-likelihood, a mean over all labels of a step. Beside another loss
 * it is what RPO adds (Pang et al. 2024, arXiv:2404.19733): it holds the likelihood of chosen completions up, which DPO alone lets fall.
 *
 * @param beta scales the implicit rewards that are reported, beta * log policy
 */
export function sftLoss(beta: number): PreferenceLoss {
  checkBeta(beta);
  const loss: PreferenceLoss = {
    name: 'sft',
    needsReference: false,
    unit: 'nats',
    rewardKind: 'likelihood',
    sftWeight: 1,
    compute({ policy }) {
      const [chosenRewards, rejectedRewards] = [policy.chosen, policy.rejected].map((logps) =>
        tf.mul(logps, exactScalar(beta)),
      );
      return { losses: tf.zerosLike(policy.chosen), chosenRewards, rejectedRewards };
    },
  };
  supervised.add(loss);
  return loss;
}

/** A loss, and how much it counts. */
export type WeightedLoss = readonly [loss: PreferenceLoss, weight: number];

/**
 * The sum of losses times their weights (TRL's loss_type and loss_weights as lists). The implicit rewards, and where it has some the `metrics`,
 * are those of the first that is not `sftLoss`. Its unit is that of all of them, where they have the same.
 *
 * @throws Error where there is no loss, or a weight is not above 0; naming a loss of single samples among several, or with a weight: what is mixed is a loss of pairs
 */
export function mixedLoss(parts: readonly WeightedLoss[]): PreferenceLoss {
  if (parts.length === 0)
    throw new Error('there is no loss to mix: give at least one as [loss, weight], as [sigmoidLoss(0.1), 1]');
  for (const [{ name }, each] of parts) checkFactor(`the weight of the loss ${name}`, each, 0.5);
  const [[first, weight]] = parts;
  if (parts.length === 1 && weight === 1) return first;
  const unpaired = parts.find(([loss]) => loss.isUnpaired);
  if (unpaired)
    throw new Error(
      `${unpaired[0].name} is a loss of single samples and is mixed with no other, nor weighted as a whole`,
    );
  const compared = parts.filter(([loss]) => !supervised.has(loss));
  const counted = compared.length > 0 ? compared : parts;
  const [[leading]] = counted;
  return {
    name: parts.map(([loss, each]) => (each === 1 ? loss.name : `${each} ${loss.name}`)).join(' + '),
    needsReference: parts.some(([loss]) => loss.needsReference),
    ...(parts.every(([loss]) => loss.unit === 'nats') && { unit: 'nats' }),
    ...(leading.rewardKind && { rewardKind: leading.rewardKind }),
    sftWeight: parts.reduce((sum, [loss, each]) => sum + each * (loss.sftWeight ?? 0), 0),
    compute(inputs) {
      const outputs = counted.map(([loss, each]): PreferenceOutputs => {
        const { losses, ...rewards } = loss.compute(inputs);
        return { losses: each === 1 ? losses : tf.mul(losses, exactScalar(each)), ...rewards };
      });
      const losses = outputs.map((output) => output.losses).reduce((sum, each) => tf.add(sum, each));
      return { ...outputs[0], losses };
    },
    ...(leading.metrics && { metrics: (outputs, batches) => leading.metrics!(outputs, batches) }),
  };
}
