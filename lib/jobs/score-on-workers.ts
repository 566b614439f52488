import { chunks } from '../chunks.js';
import type { Device } from '../engine/index.js';
import { describeRecording, offerRecording, type RecordingFile } from '../farm/files/recordings.js';
import { hashOf } from '../farm/item.js';
import { offerWork } from '../farm/offer-work.js';
import type { GivenWorkers } from '../farm/option.js';
import { connectQueue } from '../farm/queue.js';
import { recordingsItem, scoresFromText } from '../farm/recordings-item.js';
import { comparableVersions, kindOf, type Terms } from '../farm/terms.js';
import { isPlainError, sentenceOf, yieldingFirst } from '../plain-error.js';
import type { FleetStatus } from '../run/events.js';
import { needsReference, needsText, needsTranscriber, type MetricName } from '../scoring/metrics.js';
import { hashWeights, scoringNetworks } from '../scoring/networks.js';
import {
  checkMetrics,
  FILES_AT_ONCE,
  readMono,
  tellMissing,
  type FileScores,
  type ScoreFilesOptions,
} from '../scoring/score-files.js';
import { nameOfWhisper } from '../scoring/transcribe.js';

export interface ScoreOnWorkersOptions extends Omit<ScoreFilesOptions, 'device'>, GivenWorkers {
  workers: string;
  /** Workers compute on a device of its kind, which is not used itself. */
  device: Device;
  /** Is told about every second how the workers stand. */
  onFleet?: (status: FleetStatus) => void;
}

/**
 * Scores WAV files as `scoreFiles`, on workers: they read the files from the same paths where they see them there, else from this process.
 *
 * @throws Error as `scoreFiles`, and in one sentence when the queue cannot be used or an item fails three times
 */
export const scoreOnWorkers = yieldingFirst(async function* (
  files: readonly string[],
  options: ScoreOnWorkersOptions,
): AsyncGenerator<[string, FileScores]> {
  const { workers, reference, text, transcriber, device } = options;
  const { allowMixed, serveAt, signal, onNotice, onFleet } = options;
  checkMetrics(options);
  const { metrics, scorers } = await findScorers(options);
  const compared =
    reference !== undefined && metrics.some(needsReference) ? await describeRecording(reference) : null;
  const terms: Terms = {
    versions: await comparableVersions(),
    computes: allowMixed ? null : await kindOf(device),
    scorers,
    work: {
      kind: 'recordings',
      metrics: [...metrics],
      reference: compared,
      text: metrics.some(needsText) ? (text ?? null) : null,
      transcriber: metrics.some(needsTranscriber) ? nameOfWhisper(transcriber) : null,
    },
  };
  // One after the other: a process may not have as many files open as a person has recordings.
  const described: (RecordingFile | FileScores)[] = [];
  for (const file of files) described.push(await describe(file));
  await using connection = await connectQueue(workers, { onNotice });
  const place = `recordings scored by process ${process.pid}`;
  await using offered = await offerWork(connection, { terms, place, serveAt, signal });
  const { server, dispatcher, tell } = offered;
  if (compared) offerRecording(server, compared);
  const readable = described.filter((each): each is RecordingFile => 'sha256' in each);
  const hash = hashOf(terms);
  const batches = chunks(readable, FILES_AT_ONCE);
  const items = batches.map((batch, position) => recordingsItem(batch, position, server, hash));
  const scored = new Map<RecordingFile, FileScores>();
  let told = 0;
  /** Files are told in their order, as soon as those before them are scored. */
  function* known(): Generator<[string, FileScores]> {
    for (; told < files.length; told++) {
      const each = described[told];
      const scores = 'sha256' in each ? scored.get(each) : each;
      if (!scores) return;
      yield [files[told], named(scores, each, files[told])];
    }
  }
  yield* known();
  for await (const event of dispatcher.gather(items)) {
    if (event.type === 'fleet') {
      tell(event.status);
      onFleet?.(event.status);
      continue;
    }
    const batch = batches[event.index];
    for (const [i, scores] of scoresFromText(event.result, batch.length).entries())
      scored.set(batch[i], scores);
    yield* known();
  }
  offered.setOver();
});

/** The metrics that can be had, and what the weights of their networks are known by. */
async function findScorers({
  metrics,
  onMissing,
}: ScoreOnWorkersOptions): Promise<{ metrics: MetricName[]; scorers: Terms['scorers'] }> {
  const scorers: Terms['scorers'] = {};
  const missing = new Map<MetricName, Error>();
  for (const network of scoringNetworks.filter((each) => metrics.includes(each))) {
    try {
      scorers[network] = await hashWeights(network);
    } catch (error) {
      if (!onMissing || !isPlainError(error)) throw error;
      missing.set(network, error);
    }
  }
  const left = metrics.filter((name) => !missing.has(name));
  tellMissing(missing, left.length, onMissing);
  return { metrics: left, scorers };
}

/** A file that cannot be read is told as `scoreFiles` tells it. */
async function describe(file: string): Promise<RecordingFile | FileScores> {
  return describeRecording(file).catch(async (error: unknown) => {
    const read = await readMono(file);
    return { error: sentenceOf(read instanceof Error ? read : error) };
  });
}

/** Errors name a file as it was given. */
function named(scores: FileScores, each: RecordingFile | FileScores, file: string): FileScores {
  if (scores.error === undefined || !('sha256' in each)) return scores;
  return { ...scores, error: scores.error.replaceAll(each.path, file) };
}
