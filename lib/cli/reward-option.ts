/** `--reward`, which means one thing in every command. */
import { isNameEnough, namesEnough } from '../reward/built-in.js';
import { partNames } from '../reward/combination.js';
import { teacherOf, type RunRecord } from '../run/run-files.js';

/** What a person may write as a reward. */
export const REWARD_SOURCES =
  `${namesEnough.join(', ')}; or one of your own: a module whose default export is a reward (.mjs, .js, .ts), ` +
  'or the address of a server; or several of them with commas between';

/** The option that asks for it. */
export const REWARD_OPTION = '--reward <source>';

/**
 * The reward of a recorded run as `--reward` takes it.
 *
 * @param how a person gives what the record cannot name: "give it"
 * @throws Error in one sentence where the run was scored by a reward of a person's own, or trained without one
 */
export function sourceOf(record: RunRecord, how: string): string {
  const { run, parameters } = record;
  if (teacherOf(record) === undefined)
    throw new Error(
      `run ${run} trained on given pairs and has no reward; ${how}: --reward mos (or another one)`,
    );
  if (isOwn(record))
    throw new Error(
      `run ${run} is scored by a reward of its own, ${parameters.reward}; ${how}: --reward FILE (or its address)`,
    );
  return partNames(parameters.reward).join(',');
}

/** Whether a run was scored by a reward of a person's own, which its record cannot open. */
const isOwn = ({ parameters, own = [] }: RunRecord): boolean =>
  own.includes('reward') || !partNames(parameters.reward).every(isNameEnough);

/** What `eval` has to be told of the reward of a recorded run's checkpoint: nothing where `sourceOf` names it. */
export function rewardToGive(record: RunRecord): string[] {
  if (teacherOf(record) === undefined) return ['--reward', 'mos'];
  return isOwn(record) ? ['--reward', 'FILE'] : [];
}

/** What of a run a command that goes on with it has to be told again. */
export function optionsToResume(
  { source, own }: { source: string; own: readonly unknown[] },
  workers: { workers?: string; allowMixed?: boolean } = {},
): string[] {
  // Nobody wants to find a password in what a terminal shows.
  const address = workers.workers?.includes('@') ? undefined : workers.workers;
  return [
    ...(own.length > 0 ? ['--reward', source] : []),
    ...(address === undefined
      ? []
      : ['--workers', address, ...(workers.allowMixed ? ['--allow-mixed'] : [])]),
  ];
}
