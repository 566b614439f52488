/**
 * The non-autoregressive partner: the same network with a decoder that sees both ways. From codebook 0 of the edited recording it
 * writes the other codebooks, one after the other, each frame's most likely code (as VALL-E's second model, Wang et al. 2023).
 * A position is the sum of the embeddings of the codebooks it holds: which ones, `readingOf` says.
 */
import type { Codes } from '../codec/codec.js';
import { compile, tf, type Compiled, type HostArray, type InputSpec } from '../engine/index.js';
import { decode, encode } from './bart.js';
import { headLogits } from './head.js';
import { attentionMask, padPositions, steppedLength } from './padding.js';
import type { Policy } from './policy.js';

export interface NarItem {
  instruction: string;
  source: Codes;
  codebook0: readonly number[];
}

/** A position's ids, summed when embedded. */
type Position = number[];

const ROWS_AT_ONCE = 16;
const LENGTH_STEP = 32;

/** Which codebooks the partner reads in order to write one: of the source, and of what is written so far. */
interface Reading {
  source: number[];
  target: number[];
}

const range = (end: number): number[] => [...Array(end).keys()];

/**
 * A position holds all codebooks there are; but the original's partner, whose config.json calls itself NARBartForConditionalGeneration,
 * reads the source's codebook of the same number and the target's one before.
 */
export function readingOf({ config, tokenizer }: Policy, codebook: number): Reading {
  return config.architectures?.includes('NARBartForConditionalGeneration')
    ? { source: [codebook], target: [codebook - 1] }
    : { source: range(tokenizer.codebooks), target: range(codebook) };
}

/** What the encoder reads: `<s>`, instruction, `</s>`, one position a frame with the given codebooks (default all), `</s>`. */
export function packNarSource(
  { config, tokenizer }: Policy,
  instruction: string,
  source: Codes,
  codebooks: readonly number[] = range(source.length),
): Position[] {
  const frames = source[0].map((_, frame) =>
    codebooks.map((codebook) => tokenizer.codeId(codebook, source[codebook][frame])),
  );
  const text = tokenizer.encodeText(instruction).map((id) => [id]);
  const positions = [[config.bos_token_id], ...text, [config.eos_token_id], ...frames, [config.eos_token_id]];
  if (positions.length > config.max_position_embeddings) {
    throw new Error(
      `"${instruction}" with ${frames.length} frames needs ${positions.length} positions, the model has ${config.max_position_embeddings}`,
    );
  }
  return positions;
}

/** What the decoder reads to write codebook `written.length`: one position a frame with the given codebooks (default all written). */
export function packNarTarget(
  { tokenizer }: Policy,
  written: Codes,
  codebooks: readonly number[] = range(written.length),
): Position[] {
  return written[0].map((_, frame) =>
    codebooks.map((codebook) => tokenizer.codeId(codebook, written[codebook][frame])),
  );
}

/** Vocabulary ids of one codebook. */
export function codebookIds({ tokenizer }: Policy, codebook: number): Int32Array {
  return Int32Array.from({ length: tokenizer.codebookSize }, (_, code) => tokenizer.codeId(codebook, code));
}

/** A partner ready to write; its compiled programs are kept until `dispose`. */
export interface Partner {
  /** Codebooks 1 and up of every item, each [codebook - 1][frame]. An item without frames gets empty codebooks. */
  fill(items: readonly NarItem[], signal?: AbortSignal): Promise<Codes[]>;
  dispose(): Promise<void>;
}

export function openPartner(nar: Policy): Partner {
  const programs = new Map<string, Promise<Programs>>();
  const open = (shape: BatchShape): Promise<Programs> => {
    const key = JSON.stringify(shape);
    if (!programs.has(key)) programs.set(key, compilePrograms(nar, shape));
    return programs.get(key)!;
  };
  return {
    async fill(items, signal) {
      const results: Codes[] = items.map(() => Array.from({ length: nar.tokenizer.codebooks - 1 }, () => []));
      const order = [...items.keys()].filter((i) => items[i].codebook0.length > 0);
      for (let start = 0; start < order.length; start += ROWS_AT_ONCE) {
        const part = order.slice(start, start + ROWS_AT_ONCE);
        const codes = await fillBatch(
          nar,
          part.map((i) => items[i]),
          open,
          signal,
        );
        part.forEach((index, row) => (results[index] = codes[row]));
      }
      return results;
    },
    async dispose() {
      for (const pending of programs.values()) {
        const { encoder, decoder } = await pending;
        await encoder.dispose();
        await decoder.dispose();
      }
      programs.clear();
    },
  };
}

async function fillBatch(
  nar: Policy,
  items: readonly NarItem[],
  open: (shape: BatchShape) => Promise<Programs>,
  signal?: AbortSignal,
): Promise<Codes[]> {
  const { codebooks } = nar.tokenizer;
  const pad = nar.config.pad_token_id;
  const packSources = (source: readonly number[]) =>
    items.map((item) => packNarSource(nar, item.instruction, item.source, source));
  const last = readingOf(nar, codebooks - 1);
  const sources = packSources(last.source);
  const lengthOf = (rows: readonly { length: number }[]) =>
    steppedLength(
      rows.map(({ length }) => length),
      LENGTH_STEP,
      nar.config,
    );
  const shape: BatchShape = {
    rows: items.length,
    sourceLength: lengthOf(sources),
    sourceIds: last.source.length,
    targetLength: lengthOf(items.map(({ codebook0 }) => codebook0)),
    targetIds: last.target.length,
  };
  const { encoder, decoder } = await open(shape);
  const sourceMask = attentionMask(sources, shape.sourceLength);
  const encodeSource = async (source: readonly number[]) => {
    const sourceIds = padPositions(packSources(source), shape.sourceLength, shape.sourceIds, pad);
    return (await encoder({ sourceIds, sourceMask })).encoded;
  };
  let encoded: HostArray | undefined;
  let encodedSource = '';
  const written: Codes[] = items.map((item) => [[...item.codebook0]]);
  for (let codebook = 1; codebook < codebooks; codebook++) {
    signal?.throwIfAborted();
    const { source, target } = readingOf(nar, codebook);
    if (!encoded || source.join() !== encodedSource) {
      encoded = await encodeSource(source);
      encodedSource = source.join();
    }
    const targets = written.map((codes) => packNarTarget(nar, codes, target));
    const { codes } = await decoder({
      encoded,
      sourceMask,
      decoderIds: padPositions(targets, shape.targetLength, shape.targetIds, pad),
      decoderMask: attentionMask(targets, shape.targetLength),
      head: codebookIds(nar, codebook),
    });
    written.forEach((item, row) => {
      item.push(
        Array.from(codes.subarray(row * shape.targetLength, row * shape.targetLength + item[0].length)),
      );
    });
  }
  return written.map((codes) => codes.slice(1));
}

interface BatchShape {
  rows: number;
  sourceLength: number;
  /** Ids a position holds at most. */
  sourceIds: number;
  targetLength: number;
  targetIds: number;
}
interface Programs {
  encoder: Compiled;
  decoder: Compiled;
}

async function compilePrograms(
  { config, tokenizer, weights }: Policy,
  { rows, sourceLength, sourceIds, targetLength, targetIds }: BatchShape,
): Promise<Programs> {
  const constantsOf = (part: 'encoder' | 'decoder') =>
    Object.fromEntries(
      [...weights]
        .filter(([name]) => !name.startsWith(part === 'encoder' ? 'model.decoder.' : 'model.encoder.'))
        .map(([name, { shape, data }]) => [name, { shape, data: data as HostArray }]),
    );
  const sourceMask: InputSpec = { shape: [rows, sourceLength], dtype: 'float32' };
  const encoder = await compile(
    (w) => ({ encoded: encode(config, w, w.sourceIds, w.sourceMask) }),
    { sourceIds: { shape: [rows, sourceLength, sourceIds], dtype: 'int32' }, sourceMask },
    { constants: constantsOf('encoder') },
  );
  const decoder = await compile(
    (w) => {
      const selfMask = tf.reshape(w.decoderMask, [rows, 1, 1, targetLength]);
      const hidden = decode(config, w, {
        ids: w.decoderIds,
        encoded: w.encoded,
        encoderMask: w.sourceMask,
        selfMask,
      });
      const logits = headLogits(w, tf.reshape(hidden, [rows * targetLength, config.d_model]), w.head);
      return { codes: tf.argMax(logits, -1) };
    },
    {
      encoded: { shape: [rows, sourceLength, config.d_model], dtype: 'float32' },
      sourceMask,
      decoderIds: { shape: [rows, targetLength, targetIds], dtype: 'int32' },
      decoderMask: { shape: [rows, targetLength], dtype: 'float32' },
      head: { shape: [tokenizer.codebookSize], dtype: 'int32' },
    },
    { constants: constantsOf('decoder') },
  );
  return { encoder, decoder };
}
