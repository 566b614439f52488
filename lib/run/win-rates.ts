import { groupBy } from '../group-by.js';
import { signTest, wilsonInterval, type ShareInterval } from './proportion.js';
import type { VotesFile } from './votes-file.js';

/** What listeners said of two systems. */
export interface Contest {
  systems: [string, string];
  /** Votes files, one a listener and page. */
  listeners: number;
  votes: number;
  /** Votes for each system. */
  wins: [number, number];
  noDifference: number;
  bothBad: number;
  /** Of the votes for a system, those for the left side: far from half of them, the listener has a favourite side. */
  left: number;
  /** Each system's share of the votes for either, with its 95 % interval; absent where there is none. */
  rates?: [ShareInterval, ShareInterval];
  /** Of the sign test over the votes for either; 1 where there is none. */
  p: number;
}

/**
 * Counts the votes of files, those of the same two systems together. Each vote counts once, so votes of several listeners on one pair are
 * taken for independent.
 */
export function countVotes(files: readonly VotesFile[]): Contest[] {
  const groups = groupBy(files, ({ systems }) => JSON.stringify(systems.toSorted()));
  return [...groups.values()].map((group) => {
    const { systems } = group[0];
    const votes = group.flatMap((file) => file.votes);
    const count = (choice: string) => votes.filter((vote) => vote.choice === choice).length;
    const [a, b] = systems.map(
      (system) =>
        votes.filter((vote) => isForSide(vote.choice) && vote[vote.choice].system === system).length,
    );
    return {
      systems,
      listeners: group.length,
      votes: votes.length,
      wins: [a, b],
      noDifference: count('no difference'),
      bothBad: count('both bad'),
      left: count('left'),
      ...(a + b > 0 && { rates: [wilsonInterval(a, a + b), wilsonInterval(b, a + b)] }),
      p: signTest(a, b),
    };
  });
}

function isForSide(choice: string): choice is 'left' | 'right' {
  return choice === 'left' || choice === 'right';
}
