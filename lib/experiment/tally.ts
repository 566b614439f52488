import { onOneLine } from '../one-line.js';
import type { ScoredCompletion } from './scored-completion.js';

/** Rewards of all scored completions, lengths (in tokens) of all completions, and why some were dropped: "3 samples: it is empty". */
export function tally(scored: readonly ScoredCompletion[][]): {
  rewards: number[];
  lengths: number[];
  droppedReasons: string[];
} {
  const all = scored.flat();
  const counts = new Map<string, number>();
  for (const { dropped } of all) {
    if (dropped !== undefined) counts.set(dropped, (counts.get(dropped) ?? 0) + 1);
  }
  return {
    rewards: all.map(({ reward }) => reward).filter((reward) => reward !== null),
    lengths: all.map(({ codes }) => codes.length),
    droppedReasons: [...counts].map(
      ([reason, count]) => `${count} sample${count === 1 ? '' : 's'}: ${onOneLine(reason)}`,
    ),
  };
}
