/** Which run a worker works for. */
import type { PresentRun } from './presence.js';
import type { Refusals } from './refusals.js';
import { offerSchema, refusalOf, type Offer, type WorkerTraits } from './terms.js';

export interface ChosenRun {
  run: PresentRun;
  offer: Offer;
}

/**
 * The oldest run that a worker fits and that has work for it; where none has, the oldest that it fits.
 *
 * @param runs by age
 * @param refusals to which those are added that it does not fit
 */
export function chooseRun(
  runs: readonly PresentRun[],
  traits: WorkerTraits,
  refusals: Refusals,
): ChosenRun | undefined {
  const fitting: ChosenRun[] = [];
  for (const run of runs) {
    const offer = offerSchema.safeParse(run.terms);
    const reason = offer.success
      ? refusalOf(offer.data.terms, traits)
      : 'its terms cannot be read: it is of another version of speech-dpo; install the same on both';
    if (reason !== undefined) refusals.refuse(run, reason, 0);
    if (offer.success && reason === undefined && refusals.mayTry(run.id))
      fitting.push({ run, offer: offer.data });
  }
  return fitting.find(({ run }) => hasWork(run)) ?? fitting.at(0);
}

/** Whether another run than this one has work, and is not refused. */
export const isWantedElsewhere = (id: string, runs: readonly PresentRun[], refusals: Refusals): boolean =>
  runs.some((other) => other.id !== id && hasWork(other) && !refusals.has(other.id));

const hasWork = ({ counts }: PresentRun): boolean => (counts?.waiting ?? 0) > 0;
