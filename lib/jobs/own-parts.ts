/** What a program gave to a run (a codec, prompts, a sampler) is in no file: whoever works with the run's checkpoints later does without. */
import type { OwnPart, RunRecord } from '../run/run-files.js';

/** A run's name, and which parts it was given. */
export type OwnRecord = Pick<RunRecord, 'run' | 'own'>;

/**
 * Another codec would make other sound of the codes of a run that was given its own; so would others in place of other parts.
 *
 * @param instead what can be done, as the sentence's end
 */
export function refuseOwn({ run, own = [] }: OwnRecord, parts: readonly OwnPart[], instead = ''): void {
  const part = parts.find((each) => own.includes(each));
  if (part)
    throw new Error(
      `run ${run} was given its ${part} by the program that made it, so its samples cannot be made audible here${instead}`,
    );
}
