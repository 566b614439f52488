/** What is farmed out: one prompt's samples i..j, and what comes back. Both are data that a schema checks, and nothing that runs. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { DatasetItem } from '../data/item.js';
import type { GuardChoice, SampleRequest } from '../experiment/farm.js';
import type { ScoredCompletion } from '../experiment/scored-completion.js';
import type { Split } from '../run/events.js';
import { describeIssues } from '../zod-message.js';
import { codesFromText, codesTextSchema, codesToText } from './code-text.js';
import { folderManifestSchema, type FolderManifest } from './files/manifest.js';

const count = z.number().int().min(0);
const codebooks = z.array(codesTextSchema).min(1);

const itemSchema = z.strictObject({
  prompt: z.strictObject({
    instruction: z.string(),
    source: codebooks,
    target: codebooks,
    text: z.string().optional(),
  }),
  split: z.enum(['train', 'test'] satisfies Split[]),
  /** The prompt's place in its split, by which messages name it. */
  index: count,
  /** The prompt's place in the request, which keys its random streams. */
  position: count,
  /** The first sample, and how many. */
  first: count,
  samples: z.number().int().min(1),
  seed: z.number().int().min(0).max(0xffffffff),
  guards: z.enum(['none', 'all', 'pairs'] satisfies GuardChoice[]),
  /** The policy that is sampled. */
  policy: folderManifestSchema,
});

export type ItemData = z.infer<typeof itemSchema>;

/** An item with its name in the queue and in messages. */
export interface Item {
  /** A hash of everything that the result depends on. */
  id: string;
  /** "samples 0 to 9 of train prompt 3". */
  title: string;
  data: ItemData;
}

/** Samples of one item at most: seconds of work, so that little is lost with a worker. */
const SAMPLES_AT_ONCE = 10;

/**
 * Cuts a request into items. A prompt's samples are divided evenly, and none is left alone unless the request asks for one: alone, a
 * sample comes out otherwise than beside others (`Sampler.sample`).
 *
 * @param terms hash of what all items of the run depend on
 */
export function cutRequest(request: SampleRequest, policy: FolderManifest, terms: string): Item[] {
  const { prompts, samplesPerPrompt, split, seed, guards } = request;
  const parts = Math.ceil(samplesPerPrompt / SAMPLES_AT_ONCE);
  return prompts.flatMap(({ index, item }, position) => {
    const prompt = promptToText(item);
    return Array.from({ length: parts }, (_, part): Item => {
      const first = Math.floor((part * samplesPerPrompt) / parts);
      const samples = Math.floor(((part + 1) * samplesPerPrompt) / parts) - first;
      const data = { prompt, split, index, position, first, samples, seed, guards, policy };
      const which = samples === 1 ? `sample ${first}` : `samples ${first} to ${first + samples - 1}`;
      return {
        id: hashOf([terms, { ...data, policy: policy.hash }]),
        title: `${which} of ${split} prompt ${index}`,
        data,
      };
    });
  });
}

/** A name for the queue: BullMQ wants no colon in it, and not digits alone. */
export function hashOf(value: unknown): string {
  return `i-${createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 40)}`;
}

function promptToText({ instruction, src_encodec, tgt_encodec, text }: DatasetItem): ItemData['prompt'] {
  return {
    instruction,
    source: src_encodec.map(codesToText),
    target: tgt_encodec.map(codesToText),
    ...(text !== undefined && { text }),
  };
}

export function promptFromText({ instruction, source, target, text }: ItemData['prompt']): DatasetItem {
  return {
    instruction,
    src_encodec: source.map(codesFromText),
    tgt_encodec: target.map(codesFromText),
    ...(text !== undefined && { text }),
  };
}

/** @throws Error saying what is wrong with an item that came from the queue */
export function parseItem(value: unknown): ItemData {
  const result = itemSchema.safeParse(value);
  if (!result.success) throw new Error(`the queue holds what is no item: ${describeIssues(result.error)}`);
  return result.data;
}

const figures = z.record(z.string(), z.number());
const written = { codes: codesTextSchema, finished: z.boolean() };
const noFigures = {
  reward: z.null(),
  rank: z.null(),
  details: z.strictObject({}),
  figures: z.strictObject({}),
};

const resultSchema = z.array(
  z.union([
    z.strictObject({ ...written, reward: z.number(), rank: z.number(), details: figures, figures }),
    z.strictObject({ ...written, ...noFigures, dropped: z.string() }),
    z.strictObject({ ...written, ...noFigures, invalid: z.string() }),
  ]),
);

/** The answer to an item as JSON. */
export function resultToText(scored: readonly ScoredCompletion[]): string {
  const result = scored.map((completion) => ({ ...completion, codes: codesToText(completion.codes) }));
  return JSON.stringify(result);
}

/** @throws Error saying what is wrong with a worker's answer to an item of that many samples */
export function resultFromText(text: string, samples: number): ScoredCompletion[] {
  const result = resultSchema.safeParse(JSON.parse(text));
  if (!result.success)
    throw new Error(`a worker answers otherwise than with scores: ${describeIssues(result.error)}`);
  if (result.data.length !== samples)
    throw new Error(`a worker answers with ${result.data.length} samples in place of ${samples}`);
  return result.data.map(
    (completion) => ({ ...completion, codes: codesFromText(completion.codes) }) as ScoredCompletion,
  );
}
