import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';

export type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;
export type Evaluation = EventOf<'evaluated'>;

/** The events of one type, in the order they happened. */
export function eventsOf<Type extends RunEvent['type']>(
  events: readonly RunEvent[],
  type: Type,
): EventOf<Type>[] {
  return events.filter((event): event is EventOf<Type> => event.type === type);
}

/** The evaluations of one split, the original policy's first. */
export function evaluationsOf(events: readonly RunEvent[], split: Split): Evaluation[] {
  return eventsOf(events, 'evaluated')
    .filter((evaluation) => evaluation.split === split)
    .sort((a, b) => a.iteration - b.iteration);
}

/**
 * The untouched policy's evaluation and the last trained policy's; undefined where the run has not got so far. The last policy is the same one
 * for both splits: training prompts, which come first, count once held-out prompts are evaluated too.
 */
export function beforeAndAfter(
  events: readonly RunEvent[],
  split: Split,
): { before?: Evaluation; after?: Evaluation } {
  const evaluations = evaluationsOf(events, split);
  const isTrained = ({ iteration }: Evaluation) => iteration > ORIGINAL;
  const heldOut = evaluationsOf(events, 'test').findLast(isTrained);
  return {
    before: evaluations.find(({ iteration }) => iteration === ORIGINAL),
    after: heldOut
      ? evaluations.find(({ iteration }) => iteration === heldOut.iteration)
      : evaluations.findLast(isTrained),
  };
}

export function splitName(split: Split): string {
  return split === 'test' ? 'held-out prompts' : 'training prompts';
}

/** What an evaluation is called on axes and in tables: "original", "iteration 0", ... */
export function policyName(iteration: number): string {
  return iteration === ORIGINAL ? 'original' : `iteration ${iteration}`;
}

/** What the policy of an evaluation is called in tables: its own name, or that of its iteration. */
export function policyOf({ policy, iteration }: Evaluation): string {
  return policy ?? policyName(iteration);
}

/** The same in a legend: "original policy", "policy after iteration 1". */
export function policyTitle({ policy, iteration }: Evaluation): string {
  if (policy !== undefined) return policy;
  return iteration === ORIGINAL ? 'original policy' : `policy after iteration ${iteration}`;
}

/**
 * The folders of the run that these events are of.
 *
 * @throws Error when they do not begin with the run's start
 */
export function startOf(events: readonly RunEvent[]): EventOf<'started'> {
  const [start] = eventsOf(events, 'started');
  if (!start) throw new Error("these events lack the run's start");
  return start;
}
