import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { readJsonFile, refuseDepth } from '../checkpoint/json-file.js';
import { readTextFile } from '../checkpoint/text-file.js';
import { commandText } from '../command-text.js';
import { checkpointFolder, findRunDirectories, RUN_FILE, type RunDirectories } from './directories.js';
import { locateRun } from './find-run.js';
import { isBeingWritten } from './lock.js';
import { bestIteration } from './best-iteration.js';
import { parseEvent } from './event-schema.js';
import type { RecordedEvent, RunEvent } from './events.js';
import { rewardLabel } from '../reward/built-in.js';
import { parametersSchema } from './parameters.js';
import { describeIssues } from '../zod-message.js';

export const METRICS_FILE = 'metrics.jsonl';
export const LOG_FILE = 'log_training.log';

/** What a caller may give in place of what the parameters name. */
export const ownParts = ['reward', 'guards', 'sampler', 'codec', 'prompts'] as const;
export type OwnPart = (typeof ownParts)[number];

const runDeviceSchema = z.strictObject({
  /** "cpu", "cuda", "webgpu", "tensorflow", or what a device of one's own is called. */
  name: z.string(),
  /** "the CPU, 2 threads". */
  description: z.string(),
  /** Why it is this one. */
  reason: z.string(),
  /** Whether matrix products may be rounded to TF32; absent where not. */
  tf32: z.boolean().optional(),
  /** What NISQA and DNSMOS compute on where that is another device. */
  scorers: z.string().optional(),
});

/** Where a run computes, and why there. */
export type RunDevice = z.infer<typeof runDeviceSchema>;

/** In one line: "the CPU, 2 threads (asked for)". */
export function describeRunDevice({ description, reason, scorers }: RunDevice): string {
  return `${description} (${reason})${scorers === undefined ? '' : `; NISQA and DNSMOS: ${scorers}`}`;
}

const runWorkersSchema = z.strictObject({
  /** Of their queue, without its password. */
  address: z.string(),
  /** Whether workers on different kinds of devices were allowed: the run's numbers then depend on who did what. */
  mixed: z.boolean(),
  /** Everybody whose results the run used: items, and seconds of work on them, over all of the run's sessions. */
  fleet: z.array(
    z.strictObject({
      name: z.string(),
      /** Empty where the run never met the worker, only its results. */
      device: z.string(),
      items: z.number(),
      seconds: z.number(),
    }),
  ),
});

/** Who sampled and scored in place of the run's own process. */
export type RunWorkers = z.infer<typeof runWorkersSchema>;

const runRecordSchema = z.strictObject({
  run: z.string(),
  state: z.enum(['running', 'finished', 'interrupted', 'failed']),
  /** Why the run failed. */
  error: z.string().optional(),
  seed: z.number(),
  parameters: parametersSchema,
  /** What samples are scored by; absent in a run that scores none. */
  reward: z.strictObject({ name: z.string(), label: z.string() }).optional(),
  /** In a run that scores none: by what the run was scored whose pairs it was given; absent where no run made them, or people voted. */
  pairsReward: z.string().optional(),
  /** Parts that the caller gave to the run, and must give again to go on with it; absent where there are none. */
  own: z.array(z.enum(ownParts)).optional(),
  /** Where the run computes; absent where nobody said, which is the CPU. */
  device: runDeviceSchema.optional(),
  /** Who sampled and scored; absent where the run's own process did. */
  workers: runWorkersSchema.optional(),
  /** What each prompt asks for, in the order of an evaluation's `promptMeans`; absent in a run that samples none. */
  instructions: z.strictObject({ train: z.array(z.string()), test: z.array(z.string()) }).optional(),
  /** Of speech-dpo, Node.js and the packages that compute. */
  versions: z.record(z.string(), z.string()),
  /** ISO 8601. */
  startedAt: z.string(),
  finishedAt: z.string().optional(),
  /** The iteration that did best on held-out prompts so far, its checkpoint (relative to this file) and its mean reward. */
  best: z.strictObject({ iteration: z.number(), directory: z.string(), reward: z.number() }).optional(),
  /** Seconds of every event that measures them, in the order of the run; with `saved`, those of the training before it. */
  timings: z.array(
    z.strictObject({
      event: z.string(),
      iteration: z.number().optional(),
      split: z.string().optional(),
      seconds: z.number(),
      trainingSeconds: z.number().optional(),
    }),
  ),
});

/** run.json: what was run, with what, when, and how it ended. */
export type RunRecord = z.infer<typeof runRecordSchema>;

/** What a run's directories tell of it. */
export interface RecordedRun {
  directories: RunDirectories;
  record: RunRecord;
  /** In the order they happened, without progress; seconds are NaN where a killed run left none. */
  events: RunEvent[];
}

/**
 * Reads run.json and metrics.jsonl of a run, finished or not. One that finished and whose metrics.jsonl has lost its end counts as interrupted:
 * what is lost can be made again.
 *
 * @param run its name or a folder of it, see `locateRun`
 * @throws Error naming the file that is missing or wrong; where there is no such run, with the runs that there are
 */
export async function readRun(run: string): Promise<RecordedRun> {
  const directories = locateRun(run);
  const record = await readRecordFile(join(directories.modelDirectory, RUN_FILE));
  const timings = record.timings.values();
  const events = (await readMetrics(directories.modelDirectory)).map((event): RunEvent => {
    if (!isTimed(event)) return event;
    const { seconds = NaN, trainingSeconds } = timings.next().value ?? {};
    return {
      ...event,
      seconds,
      ...(event.type === 'saved' && trainingSeconds !== undefined && { trainingSeconds }),
    };
  });
  const isCut = record.state === 'finished' && !events.some(({ type }) => type === 'finished');
  return { directories, record: isCut ? { ...record, state: 'interrupted' } : record, events };
}

/**
 * Reads run.json of a run, finished or not.
 *
 * @param run its name or a folder of it, see `locateRun`, or the path of a run.json
 * @throws Error as {@link readRun}
 */
export function readRunRecord(run: string): Promise<RunRecord> {
  const file = run.endsWith('.json') ? run : join(locateRun(run).modelDirectory, RUN_FILE);
  return readRecordFile(file);
}

async function readRecordFile(path: string): Promise<RunRecord> {
  const record = runRecordSchema.safeParse(await readJsonFile(path));
  if (!record.success) throw new Error(`${path} is no run.json: ${describeIssues(record.error)}`);
  return record.data;
}

/**
 * Cuts metrics.jsonl, and the timings in what is returned, back to the first `count` events.
 *
 * @returns the run's record as that of a running one
 */
export async function cutRecord(
  { modelDirectory }: RunDirectories,
  record: RunRecord,
  count: number,
): Promise<RunRecord> {
  const events = (await readMetrics(modelDirectory)).slice(0, count);
  const text = events.map((event) => JSON.stringify(event) + '\n').join('');
  await writeFileAtomic(join(modelDirectory, METRICS_FILE), text);
  const timings = record.timings.slice(0, events.filter(isTimed).length);
  const best = describeBest(events);
  return { ...record, state: 'running', error: undefined, finishedAt: undefined, best, timings };
}

/** What run.json says of the best iteration among these events. */
export function describeBest(events: readonly RecordedEvent[]): RunRecord['best'] {
  const best = bestIteration(events);
  if (!best) return undefined;
  return { iteration: best.iteration, directory: checkpointFolder(best.iteration), reward: best.reward };
}

/** As in run.json; of a run that nobody writes any more though it had not ended: killed. */
export type RunState = RunRecord['state'] | 'killed';

export async function stateOf({
  record: { state },
  directories,
}: Pick<RecordedRun, 'record' | 'directories'>): Promise<RunState> {
  return state === 'running' && !(await isBeingWritten(directories.modelDirectory)) ? 'killed' : state;
}

/** The reward that taught a run's policy; undefined where no reward did, as with votes, and `parameters.reward` says nothing. */
export const teacherOf = ({ reward, pairsReward }: Pick<RunRecord, 'reward' | 'pairsReward'>) =>
  reward?.name ?? pairsReward;

/** The name of a run's rewards on the axes of charts. */
export function rewardLabelOf({ reward, parameters }: RunRecord): string {
  return reward?.label ?? rewardLabel(parameters);
}

/** The record of the run that a folder belongs to, `output/{name}` or `model_output/{name}`; undefined where it has no run.json. */
export async function recordOf(directory: string): Promise<RunRecord | undefined> {
  const file = join(findRunDirectories(directory).modelDirectory, RUN_FILE);
  return existsSync(file) ? readRecordFile(file) : undefined;
}

type TimedType = Extract<RunEvent, { seconds: number }>['type'];
type TimedEvent = Extract<RecordedEvent, { type: TimedType }>;

const TIMED: Record<TimedType, true> = {
  evaluated: true,
  sampled: true,
  scored: true,
  saved: true,
  finished: true,
};

function isTimed(event: RecordedEvent): event is TimedEvent {
  return event.type in TIMED;
}

async function readMetrics(modelDirectory: string): Promise<RecordedEvent[]> {
  const path = join(modelDirectory, METRICS_FILE);
  // A run that ended before its first event has no such file.
  const text = existsSync(path) ? await readTextFile(path) : '';
  // The last line of a killed run may be torn: only lines that end in a line feed count.
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    try {
      const content: unknown = JSON.parse(line);
      refuseDepth(content, 'it');
      return parseEvent(content);
    } catch (error) {
      const reason =
        error instanceof SyntaxError
          ? `is not JSON: remove it and all lines after it, and ${commandText('resume', modelDirectory)} does again what they told of`
          : `is no event: ${(error as Error).message}`;
      throw new Error(`${path}: line ${index + 1} ${reason}`, { cause: error });
    }
  });
}
