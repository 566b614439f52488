import type { MonoRecording } from '../audio/wav.js';
import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import { loadDnsmos } from './dnsmos/dnsmos.js';
import { loadNisqa, loadNisqaMosOnly, loadNisqaTts, type Nisqa, type NisqaScore } from './nisqa/nisqa.js';
import { measurePesq } from './pesq.js';
import { measureLevel } from './silence.js';
import { extendedStoi, stoi } from './stoi.js';
import { openTranscriber, type SharedTranscriber } from './transcribe.js';
import { orUnscorable, UnscorableSample } from './unscorable.js';
import { loadVoiceEncoder, voiceSimilarity } from './voice-encoder.js';
import { characterErrorRate, formatAlignment, wordErrors } from './wer.js';

/** A metric's figure or text, or several by name. */
export type MetricScore = number | string | Readonly<Record<string, number | string>>;

/** A metric that is ready to score mono recordings. */
export interface Metric {
  /**
   * An UnscorableSample in the place of each recording that cannot be scored; it says why, and not which recording.
   * @throws whatever is not a recording's own fault; the signal's reason when it is aborted between two recordings that are scored one by one
   */
  score: (
    recordings: readonly MonoRecording[],
    signal?: AbortSignal,
  ) => Promise<(MetricScore | UnscorableSample)[]>;
  dispose?: () => Promise<void>;
}

/** How a metric is opened. */
export interface MetricOptions {
  /** Runs networks; default: CPU devices of their own. */
  device?: Device;
  /** The recognizer of `transcript`, `wer` and `cer`; default as in `openTranscriber`. */
  transcriber?: string;
  /** One that several metrics share, in the place of one for each; whoever gives it disposes of it. */
  sharedTranscriber?: SharedTranscriber;
  /** Is told of downloads. */
  onNotice?: OnNotice;
}

/** Metrics that need nothing but the recording. */
const ALONE = {
  nisqa: async (options: MetricOptions): Promise<Metric> => {
    const { scoreBatch, dispose } = await loadNisqa(undefined, options);
    return { score: scoreBatch as Metric['score'], dispose };
  },
  dnsmos: async (options: MetricOptions): Promise<Metric> => {
    const { score, dispose } = await loadDnsmos(undefined, options);
    return { score: each(({ samples, sampleRateHz }) => score(samples, sampleRateHz)), dispose };
  },
  silence: async (): Promise<Metric> => ({
    score: each(({ samples, sampleRateHz }) => measureLevel(samples, sampleRateHz)),
  }),
  transcript: (options: MetricOptions): Promise<Metric> => openHeard(options, (transcript) => transcript),
} as const;

/** Metrics that compare with a reference: the same words, undamaged. */
const COMPARING = {
  stoi: async (reference: MonoRecording): Promise<Metric> => ({
    score: each((recording) => stoi(...alike(reference, recording), reference.sampleRateHz)),
  }),
  estoi: async (reference: MonoRecording): Promise<Metric> => ({
    score: each((recording) => extendedStoi(...alike(reference, recording), reference.sampleRateHz)),
  }),
  pesq: async (reference: MonoRecording): Promise<Metric> => {
    // Tells before any recording is scored whether Python has the package, and whether the reference will do.
    const [itself] = await measurePesq(reference.samples, [reference.samples], reference.sampleRateHz);
    if (itself instanceof UnscorableSample)
      throw new Error(`the reference cannot be used: ${itself.message}`);
    return { score: (recordings) => pesqOfAll(reference, recordings) };
  },
} as const;

/** Metrics that compare a transcript with what was said. */
const WORDED = {
  wer: (text: string, options: MetricOptions): Promise<Metric> =>
    openHeard(options, (transcript) => {
      const { alignment, ...counts } = wordErrors(text, transcript);
      return { ...counts, transcript, alignment: formatAlignment(alignment) };
    }),
  cer: (text: string, options: MetricOptions): Promise<Metric> =>
    openHeard(options, (transcript) => ({ cer: characterErrorRate(text, transcript), transcript })),
} as const;

/** NISQA's two networks of one score. */
const ONE_SCORE = {
  naturalness: async (options: MetricOptions): Promise<Metric> =>
    onlyScore(await loadNisqaTts(undefined, options)),
  'nisqa-mos-only': async (options: MetricOptions): Promise<Metric> =>
    onlyScore(await loadNisqaMosOnly(undefined, options)),
} as const;

/** Metrics that compare speakers, whatever they say. */
const OF_SPEAKERS = {
  similarity: async (reference: MonoRecording, options: MetricOptions): Promise<Metric> => {
    const { embed, dispose } = await loadVoiceEncoder(undefined, options);
    const voice = await orUnscorable(() => embed(reference));
    if (!(voice instanceof UnscorableSample))
      return { score: each(async (recording) => voiceSimilarity(voice, await embed(recording))), dispose };
    await dispose();
    throw new Error(`the reference cannot be used: ${voice.message}`);
  },
} as const;

const GROUPS = [ALONE, COMPARING, WORDED, ONE_SCORE, OF_SPEAKERS] as const;
/** The name of a metric: what `--metric` takes. */
export type MetricName = keyof (typeof ALONE &
  typeof COMPARING &
  typeof WORDED &
  typeof ONE_SCORE &
  typeof OF_SPEAKERS);
/** All metrics. */
export const METRIC_NAMES = GROUPS.flatMap((group) => Object.keys(group)) as MetricName[];

/** Whether a metric compares with a reference. */
export function needsReference(name: MetricName): name is keyof typeof COMPARING | keyof typeof OF_SPEAKERS {
  return name in COMPARING || name in OF_SPEAKERS;
}

/** Whether a metric takes only recordings that are as long as the reference. */
export function needsOneLength(name: MetricName): boolean {
  return name in COMPARING && name !== 'pesq';
}

/** Whether a metric compares with what was said. */
export function needsText(name: MetricName): name is keyof typeof WORDED {
  return name in WORDED;
}

/** Whether a metric needs a recognizer of speech. */
export function needsTranscriber(name: MetricName): boolean {
  return name === 'transcript' || needsText(name);
}

/** What recordings are compared with, where a metric compares. */
export interface Comparison {
  reference?: MonoRecording;
  /** What is said in them. */
  text?: string;
}

/**
 * Loads what a metric needs.
 *
 * @throws Error when it compares and what with is not given, or its weights or tools are missing
 */
export async function openMetric(
  name: MetricName,
  { reference, text }: Comparison = {},
  options: MetricOptions = {},
): Promise<Metric> {
  if (needsReference(name)) {
    if (!reference) throw new Error(`${name} compares with a reference recording, and none is given`);
    return withoutNaN(await { ...COMPARING, ...OF_SPEAKERS }[name](reference, options));
  }
  if (needsText(name)) {
    if (text === undefined) throw new Error(`${name} compares with what was said, and that is not given`);
    return withoutNaN(await WORDED[name](text, options));
  }
  return withoutNaN(await { ...ALONE, ...ONE_SCORE }[name](options));
}

/** Where a network's float32 overflows, its figures are NaN: no score. */
function withoutNaN({ score, dispose }: Metric): Metric {
  const holdsNaN = (result: MetricScore) =>
    Object.values(typeof result === 'object' ? result : [result]).some(Number.isNaN);
  return {
    score: async (recordings, signal) =>
      (await score(recordings, signal)).map((result) =>
        !(result instanceof UnscorableSample) && holdsNaN(result)
          ? new UnscorableSample('it gives NaN: scale the recording so that its samples lie within -1 to 1')
          : result,
      ),
    dispose,
  };
}

function onlyScore({ scoreBatch, dispose }: Nisqa<NisqaScore>): Metric {
  const score: Metric['score'] = async (recordings) =>
    (await scoreBatch(recordings)).map((result) =>
      result instanceof UnscorableSample ? result : result.mos,
    );
  return { score, dispose };
}

/** A metric of what a recognizer hears. */
async function openHeard(
  { transcriber: model, sharedTranscriber, onNotice }: MetricOptions,
  score: (transcript: string) => MetricScore,
): Promise<Metric> {
  const { transcribe, dispose } = sharedTranscriber
    ? { transcribe: await sharedTranscriber.open(), dispose: undefined }
    : await openTranscriber({ model, onNotice });
  const scoreOne = async ({ samples, sampleRateHz }: MonoRecording) =>
    score(await transcribe(samples, sampleRateHz));
  return { score: each(scoreOne), dispose };
}

/** Scores one recording after the other; the reason why one cannot be scored stands in its place. */
function each(
  score: (recording: MonoRecording) => object | number | Promise<object | number | string>,
): Metric['score'] {
  return async (recordings, signal) => {
    const results: (MetricScore | UnscorableSample)[] = [];
    for (const recording of recordings) {
      signal?.throwIfAborted();
      results.push(await orUnscorable(async () => (await score(recording)) as MetricScore));
    }
    return results;
  };
}

/** How a process ends that a recording brought down, and not the machine. */
const CRASH = / ended with SIG(SEGV|ABRT|FPE|BUS|ILL)$/;

async function pesqOfAll(
  reference: MonoRecording,
  recordings: readonly MonoRecording[],
): Promise<(MetricScore | UnscorableSample)[]> {
  const measure = (some: readonly MonoRecording[]) =>
    measurePesq(
      reference.samples,
      some.map(({ samples }) => samples),
      reference.sampleRateHz,
    );
  // One process scores all; where a recording brings it down, each gets its own.
  const one = each(async (recording) => {
    const [score] = await measure([recording]).catch((error: Error) => {
      throw CRASH.test(error.message) ? new UnscorableSample(error.message, { cause: error }) : error;
    });
    if (score instanceof UnscorableSample) throw score;
    return score;
  });
  const results: (MetricScore | UnscorableSample | undefined)[] = recordings.map((recording) =>
    otherRate(reference, recording),
  );
  const alike = recordings.filter((_, i) => !results[i]);
  const scores = (await measure(alike).catch(() => one(alike))) as (MetricScore | UnscorableSample)[];
  return results.map((error) => error ?? scores.shift()!);
}

function otherRate(reference: MonoRecording, recording: MonoRecording): UnscorableSample | undefined {
  if (recording.sampleRateHz === reference.sampleRateHz) return undefined;
  return new UnscorableSample(
    `its sample rate is ${recording.sampleRateHz} Hz, the reference's ${reference.sampleRateHz} Hz`,
  );
}

function alike(reference: MonoRecording, recording: MonoRecording): [Float32Array, Float32Array] {
  const error = otherRate(reference, recording);
  if (error) throw error;
  return [reference.samples, recording.samples];
}
