/** Scores that a run cannot go on with. */
import type { Reward } from '../reward/reward.js';
import type { RunDirectories } from '../run/directories.js';
import { ORIGINAL, type Split } from '../run/events.js';
import { keepInvalidSamples } from '../run/inspection-files.js';
import { divergence } from './diverged.js';
import type { SampleRequest } from './farm.js';
import type { PackedPrompt } from './packed-prompt.js';
import { LARGEST, type ScoredCompletion } from './scored-completion.js';
import { tally } from './tally.js';

/** Scored completions, `scored[i][sampleIndex]` of the ith prompt, and where they belong. */
export interface Answers {
  iteration: number;
  /** What they were sampled for; left out where the policy did not write them. */
  stage?: SampleRequest['stage'];
  split: Split;
  prompts: readonly PackedPrompt[];
  scored: readonly ScoredCompletion[][];
}

/** Where samples with invalid rewards are kept, and whose rewards they are. */
export interface CheckedRun {
  directories: Pick<RunDirectories, 'outputDirectory'>;
  reward: Pick<Reward, 'name'>;
}

/**
 * Refuses scores that a run cannot go on with.
 *
 * @throws Error naming the first, when a reward is NaN, infinite or too large: those samples are kept in invalid_rewards.json in the output
 *   directory; when some samples have other details than the rest; with the reasons when none of the completions could be scored, as a
 *   divergence where the run has trained the policy that wrote them
 */
export async function checkScored(run: CheckedRun, answers: Answers): Promise<void> {
  await refuseInvalid(run, answers);
  const { scored } = answers;
  refuseUnlikeDetails(run.reward, scored.flat());
  const { rewards, lengths, droppedReasons } = tally(scored);
  if (rewards.length > 0) return;
  const reason = `none of the ${lengths.length} samples could be scored with the ${run.reward.name} reward: ${droppedReasons.join('; ')}`;
  const trained = lastTrained(answers);
  if (trained === ORIGINAL) throw new Error(reason);
  throw divergence(
    `${reason}; so the policy writes since iteration ${trained}, and trained the same way it comes to this again: take a smaller learningRate, or, where these are few samples, more of them (numEval, testPrompts)`,
  );
}

/** The iteration that trained the policy which wrote the answers. */
function lastTrained({ iteration, stage }: Answers): number {
  if (stage === undefined) return ORIGINAL;
  return stage === 'evaluate' ? iteration : iteration - 1;
}

/** Such a figure is a mistake in the reward, or in what it measures: training on the other samples would hide it. */
async function refuseInvalid(
  { directories, reward: { name } }: CheckedRun,
  { iteration, split, prompts, scored }: Answers,
): Promise<void> {
  const samples = scored.flatMap((completions, i) =>
    completions.flatMap(({ codes, invalid }, sample) => {
      const { index: prompt, item } = prompts[i];
      return invalid === undefined ? [] : [{ prompt, sample, item, codes, invalid }];
    }),
  );
  if (samples.length === 0) return;
  const file = await keepInvalidSamples(directories.outputDirectory, {
    iteration,
    split,
    reward: name,
    samples,
  });
  const [{ prompt, sample, invalid, item }] = samples;
  const others = samples.length > 1 ? ` (and ${samples.length - 1} more)` : '';
  throw new Error(
    `the ${name} reward of sample ${sample} of ${split} prompt ${prompt}, "${item.instruction}", is not a number between -${LARGEST} and ${LARGEST}: ${invalid}${others}; nothing of this iteration was saved, and the samples are in ${file}`,
  );
}

/** A data file has the same columns for every pair. */
function refuseUnlikeDetails({ name }: Pick<Reward, 'name'>, completions: readonly ScoredCompletion[]): void {
  const named = completions.flatMap((completion) =>
    completion.reward === null ? [] : [Object.keys(completion.details).sort().join(', ') || 'none'],
  );
  const other = named.find((names) => names !== named[0]);
  if (other !== undefined)
    throw new Error(
      `the ${name} reward gives some samples the details ${named[0]} and others ${other}; give all of them the same`,
    );
}
