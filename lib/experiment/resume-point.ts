import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { findDamage } from '../checkpoint/checksums.js';
import { sentenceOf } from '../plain-error.js';
import { checkpointIn, type RunDirectories } from '../run/directories.js';
import { readDataFile, type PreferenceRow } from '../run/data-file.js';
import { readAudioIndex, type AudioIndex } from './audio-examples.js';
import type { Evaluation } from './evaluate.js';
import { isLearning } from './warnings.js';
import { readEvaluations, type Evaluations } from './evaluations-file.js';
import type { BestIteration } from '../run/best-iteration.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import { METRICS_FILE } from '../run/run-files.js';
import { findTraining } from '../run/training-checkpoints.js';

/** Where an interrupted run goes on: everything before this is complete on disk. */
export interface ResumePoint {
  original: Evaluation;
  /** Of the iteration before, or the original's; undefined where the evaluations on disk are of later ones, whose checkpoints are damaged. */
  trained?: Evaluation;
  /** The run's sound so far; undefined where it has to be made again. */
  audio?: AudioIndex;
  /** Pairs of iterations before, and of the one that is trained, of which it is made again. */
  earlierRows?: Map<number, PreferenceRow[]>;
  /** Mean held-out rewards of the complete iterations. */
  evaluated: BestIteration[];
  /** The first iteration that is not complete. */
  iteration: number;
  /** That iteration's pairs, where they are prepared. */
  rows?: PreferenceRow[];
  /** The optimizer step that its training goes on after. */
  trainedSteps?: number;
  /** Steps and validations of that training up to there. */
  trainedEvents?: TrainingEvent[];
  /** Whether its training is over and the policy saved. */
  saved: boolean;
  /** Whether a step up to there changed the policy. */
  hasLearned: boolean;
  /** Whether early stopping ended the run with the last complete iteration. */
  stopped?: boolean;
}

/** What a training tells of its steps and validations. */
export type TrainingEvent = Extract<RunEvent, { type: 'step' | 'validated' }>;

export interface ResumePlan {
  /** Undefined: the run goes on from its beginning. */
  point?: ResumePoint;
  /** The checkpoint to start from; undefined: the policy that the run started from. */
  policy?: string;
  /** How many of the recorded events are true of that point. */
  events: number;
  /** Where the run goes on, and what was found damaged, as sentences. */
  description: string;
}

/** Finds the latest point of a run that its files can be resumed from; what is damaged is passed over, with a message. */
export async function findResumePoint(
  directories: RunDirectories,
  events: readonly RunEvent[],
): Promise<ResumePlan> {
  const evaluations = await readEvaluations(directories);
  if (!evaluations) {
    await refuseWithPairs(directories);
    return { events: 0, description: 'from the beginning' };
  }
  const messages: string[] = [];
  const evaluated = findEvaluated(directories, events, evaluations.last?.iteration ?? ORIGINAL, messages);
  if (evaluated < ORIGINAL) return { events: 0, description: sentencesOf('from the beginning', messages) };

  const { iteration, savedAt } = await findCheckpoint(directories, events, evaluated + 1, messages);
  const saved = savedAt !== undefined;
  const { kept, what, ...begun } = saved
    ? { kept: savedAt + 1, what: `the evaluation of iteration ${iteration}` }
    : await findBegun(directories, events, iteration, messages);
  const told = events.slice(0, kept);
  const point: ResumePoint = {
    ...begun,
    ...(await findSound(directories, told, messages)),
    original: evaluations.original,
    trained: evaluationOf(evaluations, iteration - 1),
    evaluated: heldOutRewards(events, iteration),
    iteration,
    saved,
    hasLearned: told.some(isLearning),
    stopped: told.some((event) => event.type === 'stopped' && event.step === undefined),
  };
  const start = saved ? iteration : iteration - 1;
  const policy = start < 0 ? undefined : checkpointIn(directories, start);
  return { point, policy, events: kept, description: sentencesOf(`with ${what}`, messages) };
}

/** @throws Error in one sentence for a run that has pairs, although nothing tells of an evaluation before them */
async function refuseWithPairs({ outputDirectory, modelDirectory }: RunDirectories): Promise<void> {
  const files = await readdir(outputDirectory).catch(() => []);
  if (!files.some((name) => name.startsWith('data_iter_'))) return;
  throw new Error(
    `${modelDirectory} cannot be resumed: evaluations.json is damaged, or missing, as after \`speech-dpo train\`; start it anew`,
  );
}

/**
 * The last iteration whose evaluation is kept and told of. An evaluation is recorded before it is kept; without its event the record has lost its
 * end, or was cut back by an earlier resume.
 *
 * @param kept the last iteration whose evaluation is kept
 * @returns less than ORIGINAL where the record tells of none
 */
function findEvaluated(
  { modelDirectory }: RunDirectories,
  events: readonly RunEvent[],
  kept: number,
  messages: string[],
): number {
  const told = events.flatMap((event) =>
    event.type === 'evaluated' && event.split === 'test' && event.iteration <= kept ? [event.iteration] : [],
  );
  const evaluated = Math.max(ORIGINAL - 1, ...told);
  if (evaluated < kept)
    messages.push(
      `${join(modelDirectory, METRICS_FILE)} does not tell that ${kept === ORIGINAL ? 'the original policy' : `iteration ${kept}`} was evaluated: what it does not tell of is done again.`,
    );
  return evaluated;
}

/**
 * The first iteration that is not complete: `next`, or an earlier one where checkpoints are damaged.
 *
 * @returns savedAt: the event that tells that this iteration's policy was saved, where it was and is whole
 */
async function findCheckpoint(
  directories: RunDirectories,
  events: readonly RunEvent[],
  next: number,
  messages: string[],
): Promise<{ iteration: number; savedAt?: number }> {
  const isDamaged = async (iteration: number): Promise<boolean> => {
    const damage = await findDamage(checkpointIn(directories, iteration));
    if (damage) messages.push(`${damage}: the checkpoint before it is used.`);
    return damage !== undefined;
  };
  const savedAt = events.findLastIndex((event) => event.type === 'saved' && event.iteration === next);
  if (savedAt >= 0 && !(await isDamaged(next))) return { iteration: next, savedAt };
  let iteration = next;
  while (iteration > 0 && (await isDamaged(iteration - 1))) iteration -= 1;
  return { iteration };
}

/**
 * What there is of an iteration whose policy is not saved: nothing, its pairs, or its training up to a step.
 *
 * @returns kept: how many events are true of that; what: what comes next
 */
async function findBegun(
  directories: RunDirectories,
  events: readonly RunEvent[],
  iteration: number,
  messages: string[],
): Promise<Pick<ResumePoint, 'rows' | 'trainedSteps' | 'trainedEvents'> & { kept: number; what: string }> {
  const pairedAt = events.findLastIndex((event) => event.type === 'paired' && event.iteration === iteration);
  const paired = events[pairedAt];
  const rows = paired?.type === 'paired' ? await readRows(directories, paired, messages) : undefined;
  if (!rows) {
    const next = events.findIndex(
      (event) => event.type === 'finished' || ('iteration' in event && event.iteration >= iteration),
    );
    return { kept: next < 0 ? events.length : next, what: `iteration ${iteration}` };
  }
  const training = await findTraining(directories, iteration);
  messages.push(...training.messages);
  const stepAt = events.findLastIndex(
    (event) => event.type === 'step' && event.iteration === iteration && event.step === training.steps,
  );
  if (stepAt < pairedAt) return { rows, kept: pairedAt + 1, what: `the training of iteration ${iteration}` };
  const trainedEvents = events
    .slice(0, stepAt + 1)
    .filter((event) => event.type === 'step' || event.type === 'validated')
    .filter((event) => event.iteration === iteration);
  const what = `the training of iteration ${iteration} after step ${training.steps}`;
  return { rows, trainedSteps: training.steps, trainedEvents, kept: stepAt + 1, what };
}

function evaluationOf({ original, last }: Evaluations, iteration: number): Evaluation | undefined {
  if (iteration === ORIGINAL) return original;
  return last?.iteration === iteration ? last.evaluation : undefined;
}

/** Mean held-out rewards of the iterations before one. */
const heldOutRewards = (events: readonly RunEvent[], before: number): BestIteration[] =>
  events.flatMap((event) =>
    event.type === 'evaluated' && event.split === 'test' && event.iteration >= 0 && event.iteration < before
      ? [{ iteration: event.iteration, reward: event.statistics.mean }]
      : [],
  );

/** The sound that there is of these events, or what it is made again of. */
async function findSound(
  directories: RunDirectories,
  events: readonly RunEvent[],
  messages: string[],
): Promise<Pick<ResumePoint, 'audio' | 'earlierRows'>> {
  try {
    return { audio: await readAudioIndex(directories.outputDirectory) };
  } catch (error) {
    messages.push(`${sentenceOf(error)} The sound is made again.`);
  }
  const earlierRows = new Map<number, PreferenceRow[]>();
  for (const event of events) {
    if (event.type !== 'paired') continue;
    const rows = await readRows(directories, event, messages);
    if (rows) earlierRows.set(event.iteration, rows);
  }
  return { earlierRows };
}

/** The pairs that an event tells of; undefined where their file is damaged or holds others, with a message. */
async function readRows(
  { outputDirectory }: RunDirectories,
  { dataFile, chosenRewards, rejectedRewards }: Extract<RunEvent, { type: 'paired' }>,
  messages: string[],
): Promise<PreferenceRow[] | undefined> {
  const path = join(outputDirectory, dataFile);
  try {
    const rows = await readDataFile(path);
    const rewards = rows.map((row) => [row.chosenReward, row.rejectedReward]);
    const told = chosenRewards.map((reward, index) => [reward, rejectedRewards[index]]);
    if (isDeepStrictEqual(rewards, told)) return rows;
    messages.push(`${path} does not hold the pairs that ${METRICS_FILE} tells of.`);
  } catch (error) {
    messages.push(sentenceOf(error));
  }
  return undefined;
}

/** One after the other, also of messages that end in a full stop. */
const sentencesOf = (first: string, messages: readonly string[]): string =>
  [first, ...messages.map((message) => message.replace(/\.$/, ''))].join('. ');
