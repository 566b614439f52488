/** How charts name the losses that runs trained by, and their units. */
import type { Named, RewardKind } from '../../dpo/preference-loss.js';

/**
 * Title and axis of a panel of training losses. A loss is named where all curves are of that one, on the axis, which has room for the name of a
 * mixture, and "nats" stands where all are counted in them.
 *
 * @param losses of the panel's curves; none where nobody said by which they were trained
 */
export function lossWords(losses: readonly Named[]): { title: string; axisTitle: string } {
  const names = new Set(losses.map(({ name }) => name));
  const areInNats = losses.length > 0 && losses.every(({ unit }) => unit === 'nats');
  const name = names.size === 1 ? `${[...names][0]} loss` : 'loss';
  return { title: 'training loss', axisTitle: areInNats ? `${name} (nats)` : name };
}

const REWARD_UNITS: Record<RewardKind, string> = {
  ratio: 'β × nats',
  likelihood: 'β × nats',
  'mean likelihood': 'β × nats per token',
};

/**
 * Title and axis of a panel of margins of implicit rewards, whose unit stands on the axis where all curves have the same.
 *
 * @param losses as for `lossWords`
 */
export function marginWords(losses: readonly Named[]): { title: string; axisTitle: string } {
  const units = new Set(losses.map(({ rewardKind }) => rewardKind && REWARD_UNITS[rewardKind]));
  const [unit] = units;
  const axisTitle = units.size === 1 && unit !== undefined ? `margin (${unit})` : 'margin';
  return { title: 'chosen − rejected', axisTitle };
}
