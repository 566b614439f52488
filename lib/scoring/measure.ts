import type { MonoRecording } from '../audio/wav.js';
import { isPlainError } from '../plain-error.js';
import {
  METRIC_NAMES,
  needsOneLength,
  openMetric,
  type Comparison,
  type MetricName,
  type MetricOptions,
  type MetricScore,
} from './metrics.js';
import { shareTranscriber } from './transcribe.js';
import type { UnscorableSample } from './unscorable.js';

/** What one metric says of several recordings, or why it says nothing of them, or of one of them. */
export interface Measurement {
  metric: MetricName;
  scores: (MetricScore | UnscorableSample)[] | Error;
}

/**
 * Scores recordings by one metric after the other and yields what each says. Where a metric's weights, tools or comparison are missing, the
 * reason takes the place of its scores, and the other metrics go on. STOI compares signals of one length, so recording and reference are
 * cut to the shorter one.
 *
 * @param comparison what recordings are compared with, for metrics that compare
 * @param options where NISQA and DNSMOS run, and who is told of downloads
 * @throws what is no plain Error: a fault of a program
 */
export async function* measureRecordings(
  recordings: readonly MonoRecording[],
  comparison: Comparison = {},
  metrics: readonly MetricName[] = METRIC_NAMES,
  options: MetricOptions = {},
): AsyncGenerator<Measurement> {
  const sharedTranscriber = shareTranscriber({ model: options.transcriber, onNotice: options.onNotice });
  const shared = { ...options, sharedTranscriber };
  try {
    for (const metric of metrics) {
      const scores = await measure(metric, recordings, comparison, shared).catch((error: unknown) => {
        if (!isPlainError(error)) throw error;
        return error;
      });
      yield { metric, scores };
    }
  } finally {
    await sharedTranscriber.dispose();
  }
}

async function measure(
  name: MetricName,
  recordings: readonly MonoRecording[],
  comparison: Comparison,
  options: MetricOptions,
): Promise<(MetricScore | UnscorableSample)[]> {
  const { reference } = comparison;
  if (reference && needsOneLength(name)) {
    const scores: (MetricScore | UnscorableSample)[] = [];
    for (const recording of recordings) {
      const [cut, cutReference] = toOneLength(recording, reference);
      scores.push(...(await scoreAll(name, [cut], { ...comparison, reference: cutReference }, options)));
    }
    return scores;
  }
  return scoreAll(name, recordings, comparison, options);
}

async function scoreAll(
  name: MetricName,
  recordings: readonly MonoRecording[],
  comparison: Comparison,
  options: MetricOptions,
): Promise<(MetricScore | UnscorableSample)[]> {
  const metric = await openMetric(name, comparison, options);
  try {
    return await metric.score(recordings);
  } finally {
    await metric.dispose?.();
  }
}

function toOneLength(a: MonoRecording, b: MonoRecording): [MonoRecording, MonoRecording] {
  const length = Math.min(a.samples.length, b.samples.length);
  return [
    { ...a, samples: a.samples.slice(0, length) },
    { ...b, samples: b.samples.slice(0, length) },
  ];
}
