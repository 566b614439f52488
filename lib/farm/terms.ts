/** What a run asks of its workers, so that what they give back is what the run would have made itself. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Device } from '../engine/index.js';
import { combinationNames } from '../reward/combination.js';
import type { Guard } from '../reward/guard.js';
import { guardModels, opinionModels } from '../scoring/opinion.js';
import { readVersions } from '../run/versions.js';
import { METRIC_NAMES, type MetricName } from '../scoring/metrics.js';
import { folderManifestSchema, sha256Schema } from './files/manifest.js';
import { recordingSchema } from './files/recordings.js';

/** The guards that come with the package, in the order of a run's, by the first figure of each. */
export const guardNames = [...guardModels, 'fidelity', 'similarity', 'wer', 'silence'] as const;
export type GuardName = (typeof guardNames)[number];

/** The name of one of the guards that come with the package; undefined for a person's own. */
export function nameOfGuard({ figures: [first] }: Pick<Guard, 'figures'>): GuardName | undefined {
  return guardNames.find((name) => name === first);
}

/** Samples of a policy are drawn, made audible, scored and guarded. */
const samplesSchema = z.strictObject({
  kind: z.literal('samples'),
  rules: z.strictObject({
    temperature: z.number(),
    topK: z.number(),
    topP: z.number(),
    maxNewTokens: z.number().int(),
  }),
  int8: z.boolean(),
  /** What the policies are adapters of, where they are adapters. */
  base: folderManifestSchema.optional(),
  /** What makes completions audible; null where nothing listens. */
  speech: z.strictObject({ partner: folderManifestSchema, codec: folderManifestSchema }).nullable(),
  reward: z.strictObject({
    name: z.string(),
    rewardModel: z.enum(opinionModels),
    /** Of a reward of a person's own: of its file, or of its address. */
    sha256: sha256Schema.optional(),
    /** Of several rewards, whose names are in `name`. */
    parts: z.array(z.strictObject({ name: z.string(), sha256: sha256Schema.optional() })).optional(),
    combination: z
      .strictObject({
        how: z.enum(combinationNames),
        weights: z.array(z.number()).optional(),
        steps: z.array(z.number()).optional(),
        normalize: z.boolean().optional(),
      })
      .optional(),
  }),
  guards: z.array(z.enum(guardNames)),
  transcriber: z.string().nullable(),
});
export type SamplesWork = z.infer<typeof samplesSchema>;

/** Recordings are scored. */
const recordingsSchema = z.strictObject({
  kind: z.literal('recordings'),
  metrics: z.array(z.enum(METRIC_NAMES as [MetricName, ...MetricName[]])).min(1),
  reference: recordingSchema.nullable(),
  text: z.string().nullable(),
  /** Null where no metric needs a recognizer. */
  transcriber: z.string().nullable(),
});
export type RecordingsWork = z.infer<typeof recordingsSchema>;

export const termsSchema = z.strictObject({
  /** Of speech-dpo, of Node.js by its major, and of the packages that compute. */
  versions: z.record(z.string(), z.string()),
  /** The kind of device, see {@link kindOf}; null: any. */
  computes: z.string().nullable(),
  /** SHA-256 of the weights that score, by network; `transcriber` is the recognizer's. */
  scorers: z.record(z.string(), sha256Schema),
  work: z.discriminatedUnion('kind', [samplesSchema, recordingsSchema]),
});

export type Terms = z.infer<typeof termsSchema>;
export type SamplesTerms = Terms & { work: SamplesWork };

/** Where a run's files are served, and the token that opens them. */
const fileServerSchema = z.strictObject({ address: z.string(), token: z.string() });

/** What a run tells of itself in the queue's directory. */
export const offerSchema = z.strictObject({ terms: termsSchema, files: fileServerSchema.nullable() });
export type Offer = z.infer<typeof offerSchema>;

/** What a worker is. */
export interface WorkerTraits {
  versions: Record<string, string>;
  computes: string;
  /** SHA-256 of the rewards that it was started with. */
  rewards: readonly string[];
}

/**
 * Why a worker cannot take part in a run, in one sentence; undefined where it can. Weights that score are compared when they are opened.
 */
export function refusalOf(terms: Terms, { versions, computes, rewards }: WorkerTraits): string | undefined {
  const names = [...new Set([...Object.keys(terms.versions), ...Object.keys(versions)])];
  const other = names.find((name) => terms.versions[name] !== versions[name]);
  if (other !== undefined)
    return `the run is of ${other} ${terms.versions[other] ?? '(none)'}, this worker of ${versions[other] ?? '(none)'}: install the same on both`;
  if (terms.computes !== null && terms.computes !== computes)
    return `the run computes on ${terms.computes}, this worker on ${computes}, which gives other bits: start the run with --allow-mixed if that may be`;
  const scoredBy =
    terms.work.kind === 'samples' ? [terms.work.reward, ...(terms.work.reward.parts ?? [])] : [];
  const reward = scoredBy.find(({ sha256 }) => sha256 !== undefined && !rewards.includes(sha256));
  if (reward)
    return `the run is scored by the reward ${reward.name} (SHA-256 ${reward.sha256!.slice(0, 12)}...), which this worker does not have: start it with --reward and the same file or address`;
  return undefined;
}

/** As `readVersions`, but of Node.js the major version: within one, numbers are the same. */
export async function comparableVersions(): Promise<Record<string, string>> {
  const { node, ...others } = await readVersions();
  return { ...others, 'Node.js': node.split('.')[0] };
}

/**
 * The kind of a device: what computes the same bits has the same kind. Of a CPU its architecture and widest vectors, for which ONNX Runtime has
 * kernels of their own; of a GPU its model.
 */
export async function kindOf({ name, description }: Pick<Device, 'name' | 'description'>): Promise<string> {
  if (name !== 'cpu') return `${name}, ${description}`;
  const vectors = await vectorsOfCpu();
  return ['CPU', process.arch, ...(vectors ? [vectors] : [])].join(' ');
}

/** Linux alone tells; elsewhere a CPU's architecture has to do. */
async function vectorsOfCpu(): Promise<string | undefined> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1].split(/\s+/) ?? [];
  return ['avx512f', 'avx2', 'avx', 'sve', 'asimd'].find((flag) => flags.includes(flag));
}
