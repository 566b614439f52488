/** A run in TensorBoard: written as it goes, or made of a run's files later. */
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseWav } from '../audio/wav.js';
import { remove } from '../checkpoint/atomic.js';
import { makeFolder } from '../checkpoint/files.js';
import { explainWriteError } from '../checkpoint/write-error.js';
import { readAudioIndex, type AudioExample } from '../experiment/audio-examples.js';
import { locateWav } from '../experiment/locate-wav.js';
import { sentenceOf } from '../plain-error.js';
import { dataFileName, readDataFile } from '../run/data-file.js';
import type { RunDirectories } from '../run/directories.js';
import type { RunEvent } from '../run/events.js';
import { holdingLock } from '../run/lock.js';
import type { Parameters } from '../run/parameters.js';
import { readRun } from '../run/run-files.js';
import { fileHead, pointRecords, type Point } from './event-file.js';
import { listOf, pairTable, pointsOfEvent } from './points.js';

/** In a run's output directory. */
export const TENSORBOARD_FOLDER = 'tensorboard';

/** Ends the names of event files of ours: another program may write some of its own into the folder, which TensorBoard shows beside them. */
const OURS = '.speech-dpo';

/** Events of a run that were recorded earlier, and when it began (ISO 8601). */
interface Earlier {
  events: readonly RunEvent[];
  startedAt: string;
}

/**
 * Passes a run's events on and, where its parameters ask for it, shows them in TensorBoard: scalars, sound, tables of pairs. Every
 * session of a run makes one new file with the run's events from its beginning and removes those before it, so that no point of a run that
 * was killed is missing or there twice.
 *
 * @param earlier of a run that goes on
 */
export async function* withTensorBoard(
  events: AsyncGenerator<RunEvent>,
  { directories, parameters }: { directories: RunDirectories; parameters: Pick<Parameters, 'tensorboard'> },
  earlier?: Earlier,
): AsyncGenerator<RunEvent> {
  if (!parameters.tensorboard) return yield* events;
  const board = await openBoard(directories);
  if (earlier) await addEarlier(board, earlier);
  for await (const event of events) {
    await board.add(event, Date.now() / 1000);
    yield event;
  }
}

/**
 * Makes TensorBoard's event file of a run, finished or not, from metrics.jsonl, data_iter_k.json and the WAV files; it replaces those that
 * are there. Its times are the run's start and the seconds that run.json has of the stages so far.
 *
 * @param directory `output/{name}` or `model_output/{name}`
 * @returns the file's folder, and what of the run could not be shown, a sentence each
 * @throws Error in one sentence when the folder is no run's, or a process is writing the run
 */
export async function writeTensorBoard(directory: string): Promise<{ folder: string; problems: string[] }> {
  const { directories } = await readRun(directory);
  return holdingLock(directories.modelDirectory, async () => {
    const { events, record } = await readRun(directory);
    const board = await openBoard(directories);
    await addEarlier(board, { events, startedAt: record.startedAt });
    return { folder: board.folder, problems: board.problems };
  });
}

async function addEarlier(board: Board, { events, startedAt }: Earlier): Promise<void> {
  let wallSeconds = Date.parse(startedAt) / 1000;
  for (const event of events) {
    if ('seconds' in event && Number.isFinite(event.seconds)) wallSeconds += event.seconds;
    await board.add(event, wallSeconds);
  }
}

interface Board {
  folder: string;
  /** What could not be shown, a sentence each. */
  problems: string[];
  add(event: RunEvent, wallSeconds: number): Promise<void>;
}

async function openBoard({ outputDirectory }: RunDirectories): Promise<Board> {
  const folder = join(outputDirectory, TENSORBOARD_FOLDER);
  const explained = <T>(writing: Promise<T>) =>
    writing.catch((error: unknown) => {
      throw explainWriteError(error, folder);
    });
  await explained(makeFolder(folder));
  for (const name of await readdir(folder)) if (name.endsWith(OURS)) await remove(join(folder, name));
  const now = Date.now() / 1000;
  const file = join(folder, `events.out.tfevents.${Math.floor(now)}.${hostname()}.${process.pid}${OURS}`);
  await explained(writeFile(file, fileHead(now)));

  const problems: string[] = [];
  /** Steps of the iterations before the one under way, and those with its own. */
  let before = 0;
  let steps = 0;
  let isTrained = false;
  /** Trainings on given pairs sample nothing, so they have no sound. */
  let samples = false;

  async function shown(step: number, make: () => Promise<Point[]>): Promise<Point[]> {
    try {
      return await make();
    } catch (error) {
      const problem = sentenceOf(error);
      if (!problems.includes(problem)) problems.push(problem);
      return [{ tag: 'problems', step, text: listOf([problem]) }];
    }
  }

  async function sounds(step: number, wanted: (example: AudioExample) => boolean): Promise<Point[]> {
    if (!samples) return [];
    const listed = await shown(step, async () => {
      const { examples } = await readAudioIndex(outputDirectory);
      const points = examples
        .filter(wanted)
        .map((example) => shown(step, async () => [await soundOf(outputDirectory, example, step)]));
      return (await Promise.all(points)).flat();
    });
    return listed;
  }

  /** What an iteration trains on, in a table and in sound, at the step before its first one. */
  async function pairsOf(iteration: number): Promise<Point[]> {
    const file = dataFileName(iteration);
    const table = await shown(before, async () => {
      const rows = await readDataFile(join(outputDirectory, file));
      return [{ tag: 'pairs', step: before, text: pairTable(rows, file) }];
    });
    return [...table, ...(await sounds(before, (example) => example.iteration === iteration))];
  }

  async function pointsOf(event: RunEvent): Promise<Point[]> {
    if (event.type === 'evaluated' && !samples) {
      samples = true;
      const recordings = await sounds(0, ({ role }) => role === 'source' || role === 'target');
      return [...recordings, ...pointsOfEvent(event, steps)];
    }
    if (event.type === 'step') {
      const isFirst = event.step === 1;
      isTrained = true;
      if (isFirst) before = steps;
      steps = before + event.step;
      const pairs = isFirst ? await pairsOf(event.iteration) : [];
      return [...pairs, ...pointsOfEvent(event, steps)];
    }
    // An iteration that trained on nothing counts as one step, so that its evaluation has a place of its own.
    if (event.type === 'saved') {
      if (!isTrained) steps += 1;
      isTrained = false;
    }
    if (event.type === 'finished')
      return sounds(steps, ({ role }) => role === 'original' || role === 'trained');
    return pointsOfEvent(event, steps);
  }

  return {
    folder,
    problems,
    async add(event, wallSeconds) {
      const points = await pointsOf(event);
      if (points.length > 0) await explained(appendFile(file, pointRecords(points, wallSeconds)));
    },
  };
}

async function soundOf(outputDirectory: string, example: AudioExample, step: number): Promise<Point> {
  const wav = await readFile(await locateWav(outputDirectory, example.file));
  const { channels, sampleRateHz } = parseWav(wav, example.file);
  const split = example.split === 'test' ? 'held-out' : 'train';
  return {
    tag: `${split} prompt ${example.prompt}/${example.standing ? `${example.standing} ${example.role}` : example.role}`,
    step,
    audio: { wav, sampleRateHz, channels: channels.length, frames: channels[0].length },
  };
}
