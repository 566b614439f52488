import { countMade, pairDrops, type PairDrop } from '../dpo/pair-rules.js';
import { meanOf } from '../mean.js';
import type { RunEvent } from '../run/events.js';
import { formatNumber } from '../format.js';
import { eventsOf, policyName } from './run-events.js';
import { numberColumn, type Table } from './table.js';

/** The preference pairs of every iteration: how many, how many prompts have none, and the mean rewards of their samples. */
export function pairTable(events: readonly RunEvent[]): Table {
  const titles = ['pairs', 'prompts without a pair', 'chosen reward', 'rejected reward', 'margin'];
  return {
    columns: [{ title: 'sampled and paired in' }, ...titles.map(numberColumn)],
    rows: eventsOf(events, 'paired').map(({ iteration, pairs, skipped, chosenRewards, rejectedRewards }) => {
      const [chosen, rejected] = [chosenRewards, rejectedRewards].map(meanOf);
      const means = pairs > 0 ? [chosen, rejected, chosen - rejected] : [];
      return [
        policyName(iteration),
        String(pairs),
        String(skipped),
        ...titles.slice(2).map((_, i) => (i in means ? formatNumber(means[i], 3) : '')),
      ];
    }),
  };
}

/** What became of the pairs that an iteration's scored samples could make; undefined where the run did not count them. */
export interface PairLedger {
  iteration: number;
  considered: number;
  /** The pairs made and those dropped for each reason that came up; they add up to `considered`. */
  parts: { name: 'made' | PairDrop; meaning: string; count: number }[];
}

export function pairLedgers(events: readonly RunEvent[]): PairLedger[] {
  return eventsOf(events, 'paired').flatMap(({ iteration, considered, dropped }) => {
    if (!considered || !dropped) return [];
    const reasons = (Object.keys(pairDrops) as PairDrop[]).flatMap((name) =>
      dropped[name] ? [{ name, meaning: pairDrops[name], count: dropped[name] }] : [],
    );
    const made = { name: 'made' as const, meaning: 'pairs made', count: countMade(considered, dropped) };
    return [{ iteration, considered, parts: [made, ...reasons] }];
  });
}

/** Why prompts gave no pair: how many in each iteration, by reason. */
export function skippedTable(events: readonly RunEvent[]): Table {
  const paired = eventsOf(events, 'paired');
  const reasonsOf = ({ skippedReasons }: (typeof paired)[number]) =>
    skippedReasons.map((sentence) => sentence.replace(/^prompt \d+: /, ''));
  const reasons = [...new Set(paired.flatMap(reasonsOf))];
  return {
    columns: [
      { title: 'prompts without a pair, since' },
      ...paired.map(({ iteration }) => numberColumn(policyName(iteration))),
    ],
    rows: reasons.map((reason) => [
      reason,
      ...paired.map((event) => String(reasonsOf(event).filter((each) => each === reason).length)),
    ]),
  };
}
