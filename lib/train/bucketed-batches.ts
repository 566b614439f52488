/** Batches for a training that takes its items again and again. */
import { shuffled } from '../random.js';

/**
 * Endless batches over `items`, reshuffled every epoch; items of similar size share a batch, so that little is padding. All batches are full:
 * an epoch leaves out as many items as do not fill one, drawn by chance.
 */
export function bucketedBatches<T>(
  items: readonly T[],
  batchSize: number,
  seed: number,
  size: (item: T) => number,
): (step: number) => T[] {
  const perEpoch = Math.floor(items.length / batchSize);
  if (perEpoch === 0) throw new Error(`${items.length} items do not fill a batch of ${batchSize}`);
  const epochs = new Map<number, T[][]>();
  return (step) => {
    const epoch = Math.floor(step / perEpoch);
    if (!epochs.has(epoch)) {
      const order = shuffled(items, seed, epoch).slice(0, perEpoch * batchSize);
      const batches: T[][] = [];
      const pool = batchSize * 32;
      for (let start = 0; start < order.length; start += pool) {
        const sorted = order.slice(start, start + pool).sort((a, b) => size(a) - size(b));
        for (let i = 0; i < sorted.length; i += batchSize) batches.push(sorted.slice(i, i + batchSize));
      }
      epochs.clear();
      epochs.set(epoch, shuffled(batches, seed, epoch, 1));
    }
    return epochs.get(epoch)![step % perEpoch];
  };
}
