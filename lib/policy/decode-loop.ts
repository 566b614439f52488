/**
 * The loop of generation: one decoder step a token until every row has ended. `stream` runs it beside the device, so that
 * no message comes and goes between two tokens.
 */
import type { DeviceThread } from '../engine/index.js';
import { uniformStream } from '../random.js';
import { compactBatch } from './compact-batch.js';
import { keepRows, stepFeeds, stepUpdates, type StepMemory } from './step-memory.js';
import { argMax, draw, warp, type SamplingRules } from './warp.js';

/** Plain data: what the loop runs on. */
export interface DecodeLoop {
  /** The compiled step (`Generation.stepProgram`). */
  program: number;
  memory: StepMemory;
  /** Whether the step is for any number of prompts and rows. */
  isOpen: boolean;
  /** What every row is fed first, as indices into `vocabulary`. */
  prefix: readonly number[];
  /** Ids that may be read; the first `allowed` of them may be written. */
  vocabulary: Int32Array;
  allowed: number;
  eos: number;
  /** Of each row. */
  maxNewTokens: readonly number[];
}

/** Picks an index below `allowed` for a row by the row's logits [allowed]. */
export type Choose = (row: number, logits: Float32Array) => number;

/** Sampling with a random stream of its own for each row, one number a token; temperature 0 takes the likeliest id. Plain data. */
export interface SeededSampling {
  rules: SamplingRules;
  /** The key of each row's stream (lib/random.ts). */
  keys: readonly (readonly number[])[];
}

/** How many rows are still open, and the rows that just ended (at eos, or full). */
export interface GenerateStep {
  open: number;
  ended: { row: number; ids: number[]; finished: boolean }[];
}

/** Tokens between two events at most, so that who listens can stop the loop: each event wakes another thread. */
const TOKENS_A_STEP = 16;

/** The part of a batch that leaves it at once, at least: to move what stays takes about as long as a step. */
const LEAVING = 1 / 8;

/** Yields when rows ended, and every `TOKENS_A_STEP` tokens. */
export async function* decodeLoop(
  device: DeviceThread,
  loop: DecodeLoop,
  choose: Choose,
): AsyncGenerator<GenerateStep> {
  const { program, prefix, vocabulary, allowed, eos, maxNewTokens } = loop;
  // A device of somebody's own may hand on what another compiles, and move nothing.
  const mayLeave = loop.isOpen && device.keepColumns !== undefined;
  const written: number[][] = maxNewTokens.map(() => []);
  const open = new Set(written.keys());
  let { memory } = loop;
  /** Those in the batch, prompt by prompt. */
  let rows = [...written.keys()];
  let indices = new Int32Array(written.length);
  for (let position = 0; open.size > 0; position++) {
    if (position < prefix.length) indices.fill(prefix[position]);
    await device.run(program, stepFeeds(memory, indices, position), stepUpdates(memory, position));
    if (position < prefix.length - 1) continue;
    const logits = await device.read(memory.logits);
    const next = new Int32Array(indices.length);
    const ended: GenerateStep['ended'] = [];
    for (const [place, row] of rows.entries()) {
      if (!open.has(row)) continue;
      const start = place * vocabulary.length;
      next[place] = choose(row, logits.subarray(start, start + allowed) as Float32Array);
      const id = vocabulary[next[place]];
      written[row].push(id);
      const finished = id === eos;
      if (finished || written[row].length === maxNewTokens[row]) {
        open.delete(row);
        ended.push({ row, ids: written[row], finished });
      }
    }
    indices = next;
    if (ended.length > 0 || position % TOKENS_A_STEP === 0) yield { open: open.size, ended };
    if (ended.length === 0 || !mayLeave) continue;
    const staying = compactBatch(
      rows.map((row) => open.has(row)),
      memory.promptMask.shape[0],
    );
    if (open.size === 0 || staying.rows.length > (1 - LEAVING) * rows.length) continue;
    memory = await keepRows(device, memory, staying, position + 1);
    indices = Int32Array.from(staying.rows, (place) => next[place]);
    rows = staying.rows.map((place) => rows[place]);
  }
}

export function seededChoice({ rules, keys }: SeededSampling): Choose {
  const streams = keys.map((key) => uniformStream(...key));
  return (row, logits) =>
    rules.temperature === 0 ? argMax(logits) : draw(warp(logits, rules), streams[row]());
}

/** What `Device.stream` runs. */
export function stream(
  thread: DeviceThread,
  { loop, sampling }: { loop: DecodeLoop; sampling: SeededSampling },
): AsyncGenerator<GenerateStep> {
  return decodeLoop(thread, loop, seededChoice(sampling));
}
