import type { RecordedEvent, RunEvent } from './events.js';

/** The iteration whose policy did best on held-out prompts. */
export interface BestIteration {
  iteration: number;
  /** Mean held-out reward. */
  reward: number;
}

/** The better of two evaluated iterations; of equal ones the first. */
export function betterOf<T extends BestIteration>(best: T | undefined, candidate: T): T {
  return best && !(candidate.reward > best.reward) ? best : candidate;
}

/** The iteration with the highest mean reward on held-out prompts, of equal ones the first; undefined before there is one. */
export function bestIteration(events: readonly (RecordedEvent | RunEvent)[]): BestIteration | undefined {
  let best: BestIteration | undefined;
  for (const event of events) {
    if (event.type === 'evaluated' && event.split === 'test' && event.iteration >= 0)
      best = betterOf(best, { iteration: event.iteration, reward: event.statistics.mean });
  }
  return best;
}
