import { loadDnsmos } from './dnsmos.js';
import { loadNisqa, type NisqaInput } from './nisqa/nisqa.js';
import { measurePesq } from './pesq.js';
import { measureLevel } from './silence.js';
import { extendedStoi, stoi } from './stoi.js';

/** A metric's figure, or its figures by name. */
export type Score = number | Readonly<Record<string, number>>;

/** A metric that is ready to score mono recordings. */
export interface Metric {
  /** An Error in the place of each recording that cannot be scored; it says why, and not which recording. */
  score: (recordings: readonly NisqaInput[]) => Promise<(Score | Error)[]>;
  dispose?: () => Promise<void>;
}

/** Metrics that need nothing but the recording. */
const ALONE = {
  nisqa: async (): Promise<Metric> => {
    const { scoreBatch, dispose } = await loadNisqa();
    return { score: scoreBatch as Metric['score'], dispose };
  },
  dnsmos: async (): Promise<Metric> => {
    const { score, dispose } = await loadDnsmos();
    return { score: each(({ samples, sampleRateHz }) => score(samples, sampleRateHz)), dispose };
  },
  silence: async (): Promise<Metric> => ({
    score: each(({ samples, sampleRateHz }) => measureLevel(samples, sampleRateHz)),
  }),
} as const;

/** Metrics that compare with a reference: the same words, undamaged. */
const COMPARING = {
  stoi: async (reference: NisqaInput): Promise<Metric> => ({
    score: each((recording) => stoi(...alike(reference, recording), reference.sampleRateHz)),
  }),
  estoi: async (reference: NisqaInput): Promise<Metric> => ({
    score: each((recording) => extendedStoi(...alike(reference, recording), reference.sampleRateHz)),
  }),
  pesq: async (reference: NisqaInput): Promise<Metric> => {
    // Tells before any recording is scored whether Python has the package, and whether the reference will do.
    const [itself] = await measurePesq(reference.samples, [reference.samples], reference.sampleRateHz);
    if (itself instanceof Error) throw itself;
    return { score: (recordings) => pesqOfAll(reference, recordings) };
  },
} as const;

export type MetricName = keyof typeof ALONE | keyof typeof COMPARING;
export const METRIC_NAMES = [...Object.keys(ALONE), ...Object.keys(COMPARING)] as MetricName[];

/** Whether a metric compares with a reference. */
export function needsReference(name: MetricName): name is keyof typeof COMPARING {
  return name in COMPARING;
}

/**
 * Loads what a metric needs.
 *
 * @throws Error when it compares with a reference and none is given, or its weights or tools are missing
 */
export async function openMetric(name: MetricName, reference?: NisqaInput): Promise<Metric> {
  if (!needsReference(name)) return ALONE[name]();
  if (!reference) throw new Error(`${name} compares with a reference recording, and none is given`);
  return COMPARING[name](reference);
}

/** Scores one recording after the other; what is thrown for one stands in its place. */
function each(score: (recording: NisqaInput) => object | number | Promise<object>): Metric['score'] {
  return async (recordings) => {
    const results: (Score | Error)[] = [];
    for (const recording of recordings) {
      try {
        results.push((await score(recording)) as Score);
      } catch (error) {
        results.push(error as Error);
      }
    }
    return results;
  };
}

async function pesqOfAll(
  reference: NisqaInput,
  recordings: readonly NisqaInput[],
): Promise<(Score | Error)[]> {
  const measure = (some: readonly NisqaInput[]) =>
    measurePesq(
      reference.samples,
      some.map(({ samples }) => samples),
      reference.sampleRateHz,
    );
  // One process scores all; where a recording brings it down, each gets its own.
  const one = each(async (recording) => {
    const [score] = await measure([recording]);
    if (score instanceof Error) throw score;
    return score;
  });
  const results: (Score | Error | undefined)[] = recordings.map((recording) =>
    otherRate(reference, recording),
  );
  const alike = recordings.filter((_, i) => !results[i]);
  const scores = (await measure(alike).catch(() => one(alike))) as (Score | Error)[];
  return results.map((error) => error ?? scores.shift()!);
}

function otherRate(reference: NisqaInput, recording: NisqaInput): Error | undefined {
  if (recording.sampleRateHz === reference.sampleRateHz) return undefined;
  return new Error(
    `its sample rate is ${recording.sampleRateHz} Hz, the reference's ${reference.sampleRateHz} Hz`,
  );
}

function alike(reference: NisqaInput, recording: NisqaInput): [Float32Array, Float32Array] {
  const error = otherRate(reference, recording);
  if (error) throw error;
  return [reference.samples, recording.samples];
}
