import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { findDamage } from '../checkpoint/checksums.js';
import { sentenceOf } from '../plain-error.js';
import type { RunDirectories } from '../run/directories.js';
import { readDataFile, type PreferenceRow } from '../run/data-file.js';
import { readAudioIndex, type AudioIndex } from './audio-examples.js';
import type { Evaluation } from './evaluate.js';
import { readEvaluations } from './evaluations-file.js';
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
    const files = await readdir(directories.outputDirectory).catch(() => []);
    if (files.some((name) => name.startsWith('data_iter_'))) {
      throw new Error(
        `${directories.modelDirectory} cannot be resumed: evaluations.json is damaged, or missing, as after \`speech-dpo train\`; start it anew`,
      );
    }
    return { events: 0, description: 'from the beginning' };
  }
  const { original, last } = evaluations;
  const messages: string[] = [];
  const damageOf = async (iteration: number) => {
    const damage = await findDamage(checkpointOf(directories, iteration));
    if (damage) messages.push(`${damage}: the checkpoint before it is used.`);
    return damage;
  };

  // An evaluation is recorded before it is kept; without its event the record has lost its end, or was cut back by an earlier resume.
  const isRecorded = (iteration: number) =>
    events.some(
      (event) => event.type === 'evaluated' && event.split === 'test' && event.iteration === iteration,
    );
  const kept = last?.iteration ?? ORIGINAL;
  let evaluated = kept;
  while (evaluated >= ORIGINAL && !isRecorded(evaluated)) evaluated -= 1;
  if (evaluated < kept)
    messages.push(
      `${join(directories.modelDirectory, METRICS_FILE)} does not tell that ${kept === ORIGINAL ? 'the original policy' : `iteration ${kept}`} was evaluated: what it does not tell of is done again.`,
    );
  if (evaluated < ORIGINAL) return { events: 0, description: sentencesOf('from the beginning', messages) };

  let iteration = evaluated + 1;
  const savedAt = events.findLastIndex((event) => event.type === 'saved' && event.iteration === iteration);
  const saved = savedAt >= 0 && !(await damageOf(iteration));
  if (!saved) while (iteration > 0 && (await damageOf(iteration - 1))) iteration -= 1;
  const point: ResumePoint = {
    original,
    trained: iteration === 0 ? original : last?.iteration === iteration - 1 ? last.evaluation : undefined,
    evaluated: events.flatMap((event) =>
      event.type === 'evaluated' &&
      event.split === 'test' &&
      event.iteration >= 0 &&
      event.iteration < iteration
        ? { iteration: event.iteration, reward: event.statistics.mean }
        : [],
    ),
    iteration,
    saved,
  };
  const plan = async (kept: number, what: string): Promise<ResumePlan> => {
    Object.assign(point, await findSound(directories, events.slice(0, kept), messages));
    const start = saved ? iteration : iteration - 1;
    const policy = start < 0 ? undefined : checkpointOf(directories, start);
    point.stopped = events
      .slice(0, kept)
      .some((event) => event.type === 'stopped' && event.step === undefined);
    return { point, policy, events: kept, description: sentencesOf(`with ${what}`, messages) };
  };
  if (saved) return plan(savedAt + 1, `the evaluation of iteration ${iteration}`);

  const pairedAt = events.findLastIndex((event) => event.type === 'paired' && event.iteration === iteration);
  const paired = events[pairedAt];
  if (paired?.type === 'paired') point.rows = await readRows(directories, paired, messages);
  if (!point.rows) {
    const next = events.findIndex(
      (event) => event.type === 'finished' || ('iteration' in event && event.iteration >= iteration),
    );
    return plan(next < 0 ? events.length : next, `iteration ${iteration}`);
  }
  const training = await findTraining(directories, iteration);
  messages.push(...training.messages);
  const stepAt = events.findLastIndex(
    (event) => event.type === 'step' && event.iteration === iteration && event.step === training.steps,
  );
  if (stepAt < pairedAt) return plan(pairedAt + 1, `the training of iteration ${iteration}`);
  point.trainedSteps = training.steps;
  point.trainedEvents = events
    .slice(0, stepAt + 1)
    .filter((event) => event.type === 'step' || event.type === 'validated')
    .filter((event) => event.iteration === iteration);
  return plan(stepAt + 1, `the training of iteration ${iteration} after step ${training.steps}`);
}

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

const checkpointOf = ({ modelDirectory }: RunDirectories, iteration: number) =>
  join(modelDirectory, `iter_${iteration}`, 'dpo_model');
