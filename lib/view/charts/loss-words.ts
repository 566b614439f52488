/** How charts name the losses that runs trained by. */
import type { Named } from '../../dpo/preference-loss.js';

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
