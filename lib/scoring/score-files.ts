import { readWav, toMono, type MonoRecording } from '../audio/wav.js';
import { chunks } from '../chunks.js';
import { isPlainError, yieldingFirst } from '../plain-error.js';
import { openParts, releaseAll } from '../release.js';
import {
  METRIC_NAMES,
  needsReference,
  needsText,
  openMetric,
  type Metric,
  type MetricName,
  type MetricOptions,
  type MetricScore,
} from './metrics.js';
import { shareTranscriber } from './transcribe.js';
import { scorerFailure, UnscorableSample } from './unscorable.js';

/** What files are scored by, and what they are compared with. */
export interface ScoreFilesOptions extends MetricOptions {
  metrics: readonly MetricName[];
  /** WAV file that stoi, estoi and pesq compare with. */
  reference?: string;
  /** What is said in the recordings, which wer and cer compare with. */
  text?: string;
  /**
   * Is told of each metric whose weights, tools or comparison are missing, and why, where others can be had: they go on without it. Without this
   * callback a metric that is missing stops the work.
   */
  onMissing?: (metric: MetricName, reason: Error) => void;
  /** Ends the work with its reason, once the recording or the batch under way is scored. */
  signal?: AbortSignal;
}

/** What is known of one file: each metric's score by its name, and what failed. */
export type FileScores = Partial<Record<MetricName, MetricScore>> & {
  /** Why the file, or some metric of it, could not be scored; begins with the file's name. */
  error?: string;
};

/** Files whose sound is in memory at once. */
export const FILES_AT_ONCE = 64;

/** Metrics that are open. */
export interface FileScorer extends AsyncDisposable {
  /**
   * Scores WAV files, at most {@link FILES_AT_ONCE}. A file that cannot be scored does not stop the others.
   * @throws Error when a metric or the machine fails for a reason that is no file's
   */
  score(files: readonly string[]): Promise<FileScores[]>;
}

/**
 * Scores WAV files, their channels averaged, and yields each with its name, in order. A file that cannot be scored does not stop the
 * others.
 *
 * @throws Error when no metric or an unknown one is asked for, a metric compares and what with is missing or cannot be read, a
 * metric's weights or tools are missing, or a metric or the machine fails for a reason that is no file's
 */
export const scoreFiles = yieldingFirst(async function* (
  files: readonly string[],
  options: ScoreFilesOptions,
): AsyncGenerator<[string, FileScores]> {
  await using scorer = await openFileScorer(options);
  for (const batch of chunks(files, FILES_AT_ONCE)) {
    const scores = await scorer.score(batch);
    for (const [i, file] of batch.entries()) yield [file, scores[i]];
  }
});

/**
 * Opens metrics for files that come in batches.
 *
 * @throws Error when no metric or an unknown one is asked for, a metric compares and what with is missing or cannot be read, or a
 * metric's weights or tools are missing
 */
export async function openFileScorer(options: ScoreFilesOptions): Promise<FileScorer> {
  const { signal, device, transcriber, onNotice } = options;
  checkMetrics(options);
  const comparison = { reference: await readReference(options), text: options.text };
  const metrics = new Map<MetricName, Metric>();
  return openParts(async (opened) => {
    const missing = new Map<MetricName, Error>();
    const sharedTranscriber = shareTranscriber({ model: transcriber, onNotice });
    opened.push(sharedTranscriber.dispose);
    for (const name of options.metrics) {
      signal?.throwIfAborted();
      try {
        const metric = await openMetric(name, comparison, { device, sharedTranscriber, onNotice });
        opened.push(() => metric.dispose?.());
        metrics.set(name, metric);
      } catch (error) {
        if (!options.onMissing || !isPlainError(error)) throw error;
        missing.set(name, error);
      }
    }
    tellMissing(missing, metrics.size, options.onMissing);
    async function score(batch: readonly string[]): Promise<FileScores[]> {
      const recordings = await Promise.all(batch.map(readMono));
      const readable = recordings.filter((recording) => !(recording instanceof Error)) as MonoRecording[];
      const columns: [MetricName, (MetricScore | UnscorableSample)[]][] = [];
      for (const [name, metric] of metrics) {
        signal?.throwIfAborted();
        const scores = await metric.score(readable, signal).catch((error: unknown) => {
          signal?.throwIfAborted();
          throw scorerFailure(`${name} cannot score ${nameBatch(batch)}`, error);
        });
        columns.push([name, scores]);
      }
      signal?.throwIfAborted();
      return batch.map((file, i) => {
        const recording = recordings[i];
        if (recording instanceof Error) return { error: recording.message };
        return joinScores(file, columns, readable.indexOf(recording));
      });
    }
    return { score, [Symbol.asyncDispose]: () => releaseAll(opened) };
  });
}

/**
 * Tells which metrics are missing, where others are there.
 *
 * @throws Error that gives every reason where none is
 */
export function tellMissing(
  missing: ReadonlyMap<MetricName, Error>,
  others: number,
  onMissing: ScoreFilesOptions['onMissing'],
): void {
  const [first, ...further] = missing.values();
  if (first === undefined || others > 0) missing.forEach((reason, name) => onMissing?.(name, reason));
  else if (further.length === 0) throw first;
  else
    throw new Error([...missing].map(([name, { message }]) => `${name}: ${message}`).join('; '), {
      cause: first,
    });
}

/** Why a file cannot be read as a recording; undefined where it can. */
export async function fileProblem(path: string): Promise<string | undefined> {
  const recording = await readMono(path);
  return recording instanceof Error ? recording.message : undefined;
}

/** @throws Error in one sentence when no metric or an unknown one is asked for, or one compares and what with is missing */
export function checkMetrics({ metrics, reference, text }: ScoreFilesOptions): void {
  const unknown = metrics.find((name) => !METRIC_NAMES.includes(name));
  if (unknown !== undefined || metrics.length === 0)
    throw new Error(`There is no metric "${unknown ?? ''}"; known are ${METRIC_NAMES.join(', ')}`);
  const compare = (names: readonly MetricName[]) =>
    `${names.join(' and ')} ${names.length === 1 ? 'compares' : 'compare'} with`;
  const comparing = metrics.filter(needsReference);
  if (comparing.length > 0 && reference === undefined)
    throw new Error(`${compare(comparing)} a reference: give one with --reference FILE`);
  const worded = metrics.filter(needsText);
  if (worded.length > 0 && text === undefined)
    throw new Error(`${compare(worded)} what was said: give it with --text "THE WORDS"`);
}

async function readReference({ metrics, reference }: ScoreFilesOptions): Promise<MonoRecording | undefined> {
  if (reference === undefined || !metrics.some(needsReference)) return undefined;
  const recording = await readMono(reference);
  if (recording instanceof Error) throw recording;
  return recording;
}

const nameBatch = (files: readonly string[]) =>
  files.length === 1 ? files[0] : `one of the ${files.length} files from ${files[0]} on`;

/** Codes of system errors that say nothing of the file. */
const MACHINE_ERRORS = ['EIO', 'EMFILE', 'ENFILE', 'ENOMEM'];

/** The sound of a WAV file, or why the file holds none, where that is the file's own fault. */
export async function readMono(path: string): Promise<MonoRecording | Error> {
  try {
    const recording = await readWav(path);
    return { samples: toMono(recording), sampleRateHz: recording.sampleRateHz };
  } catch (error) {
    if (!isPlainError(error)) throw error;
    const { code = '' } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (MACHINE_ERRORS.includes(code)) throw error;
    return error;
  }
}

/** The scores of one file out of every metric's column; what failed goes into one sentence. */
function joinScores(
  file: string,
  columns: readonly (readonly [MetricName, readonly (MetricScore | UnscorableSample)[]])[],
  row: number,
): FileScores {
  const scores: FileScores = {};
  const errors: string[] = [];
  for (const [name, column] of columns) {
    const result = column[row];
    if (result instanceof UnscorableSample) errors.push(`${name}: ${result.message}`);
    else scores[name] = result;
  }
  if (errors.length > 0) scores.error = `${file}: ${errors.join('; ')}`;
  return scores;
}
