/**
 * The non-autoregressive partner: a network whose decoder sees both ways. From codebook 0 of the edited recording it
 * writes the other codebooks, one after the other, each frame's most likely code (as VALL-E's second model, Wang et al. 2023).
 * A position is the sum of the embeddings of the codebooks it holds: which ones, `PartnerNetwork.reading` says.
 */
import { chunks } from '../chunks.js';
import type { Codes } from '../codec/codec.js';
import { checkInt8, type Device } from '../engine/index.js';
import { openContextMemory, openPromptContexts, type PromptContexts } from './partner-context.js';
import {
  openPartnerPrograms,
  type PartnerModel,
  type PartnerPrograms,
  type PartnerShape,
} from './partner-programs.js';
import { longestSource } from './pack.js';
import { attentionMask, steppedLength } from './padding.js';
import type { Policy } from './policy.js';

/** A completion of codebook 0 that the partner fills, with the prompt that it answers: the instruction, and the source's codes. */
export interface PartnerItem {
  instruction: string;
  source: Codes;
  codebook0: readonly number[];
}

/** A position's ids, summed when embedded. */
type Position = number[];

/** Few enough rows to stay in a core's cache. */
const ROWS_AT_ONCE = 8;
/** A program belongs to its shapes: lengths are rounded up to multiples of these, rows to powers of two. */
const SOURCE_STEP = 32;
const TARGET_STEP = 16;

const range = (end: number): number[] => [...Array(end).keys()];

/** What the encoder reads: `<s>`, instruction, `</s>`, one position a frame with the given codebooks (default all), `</s>`. */
export function packPartnerSource(
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
      `"${instruction}" with ${frames.length} frames needs ${positions.length} positions, and the partner has ${config.max_position_embeddings}`,
    );
  }
  return positions;
}

/** What the decoder reads to write codebook `written.length`: one position a frame with the given codebooks (default all written). */
export function packPartnerTarget(
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
  /** The longest completion, in frames, that it can fill: its positions. */
  readonly maxFrames: number;
  /** Frames of the longest recording that it reads with an instruction. */
  longestSource(instruction: string): number;
  /**
   * Codebooks 1 and up of every item, each [codebook - 1][frame]. An item without frames gets empty codebooks.
   * @throws Error for an item of more than `maxFrames` frames, or a prompt longer than the encoder's positions
   */
  fill(items: readonly PartnerItem[], signal?: AbortSignal): Promise<Codes[]>;
  /** Frees the device's copy of the weights, where it needs one; the next `fill` makes it again. */
  releaseWeights(): Promise<void>;
  /** Frees all that it holds on the device. */
  dispose(): Promise<void>;
}

/**
 * Opens the non-autoregressive partner of a policy: a second model that writes codebooks 1 and up of completions, each frame's likeliest code
 * (as the second model of VALL-E does: Wang et al. 2023). The policy's weights must stay as they are while it is open.
 *
 * @param options.int8 multiplies by the weights in 8 bits (docs/maths.md); default false
 * @throws Error in one sentence when the model's architecture is no partner's, or the device does not multiply in 8 bits
 */
export function openPartner(
  policy: Policy,
  device: Device,
  { int8 = false }: { int8?: boolean } = {},
): Partner {
  if (int8) checkInt8(device);
  const { title, partner: network } = policy.architecture;
  if (!network)
    throw new Error(
      `${policy.directory} cannot be a partner: a ${title} has no decoder that sees both ways; give another model with --nar.`,
    );
  const model = { ...policy, network };
  const programs = openPartnerPrograms(model, device, int8);
  const contexts = openPromptContexts(model, programs);
  const maxFrames = model.config.max_position_embeddings;
  return {
    maxFrames,
    longestSource: (instruction) => longestSource(model, instruction),
    async fill(items, signal) {
      const tooLong = items.find(({ codebook0 }) => codebook0.length > maxFrames);
      if (tooLong)
        throw new Error(
          `a completion of ${tooLong.codebook0.length} codes is longer than the partner's ${maxFrames} positions: take a maxNewTokens of at most ${maxFrames}`,
        );
      const results: Codes[] = items.map(() =>
        Array.from({ length: model.tokenizer.codebooks - 1 }, () => []),
      );
      const framesOf = (i: number) => items[i].codebook0.length;
      // By length, so that little of a pass is padding.
      const order = [...items.keys()].filter(framesOf).sort((a, b) => framesOf(a) - framesOf(b));
      for (const part of chunks(order, ROWS_AT_ONCE)) {
        const batch = part.map((i) => items[i]);
        const codes = await fillBatch(model, batch, { programs, contexts, device, signal });
        part.forEach((index, row) => (results[index] = codes[row]));
      }
      return results;
    },
    releaseWeights: () => programs.releaseWeights(),
    dispose: () => programs.dispose(),
  };
}

/** What a batch is filled with. */
interface Filling {
  programs: PartnerPrograms;
  contexts: PromptContexts;
  device: Device;
  signal?: AbortSignal;
}

async function fillBatch(
  model: PartnerModel,
  items: readonly PartnerItem[],
  { programs, contexts, device, signal }: Filling,
): Promise<Codes[]> {
  const { config, network, tokenizer } = model;
  const { codebooks } = tokenizer;
  // Samples of one prompt share its encoding.
  const prompts = items.filter((item, i) => i === items.findIndex((other) => isSamePrompt(item, other)));
  const promptOf = items.map((item) => prompts.findIndex((prompt) => isSamePrompt(item, prompt)));
  const packSources = (codebooks: readonly number[]) =>
    prompts.map(({ instruction, source }) => packPartnerSource(model, instruction, source, codebooks));
  const sources = packSources(network.reading(config, 1, codebooks).source);
  const shape = shapeOf(items, sources, config);
  const feeds = rowFeeds(items, promptOf, sources, shape);
  const { rows, sourceLength, targetLength } = shape;
  signal?.throwIfAborted();
  const decoder = await programs.decoder(shape);
  const memory = await openContextMemory(model, shape, device);
  try {
    const tokens = createTokenSum(model, rows, targetLength);
    const written: Codes[] = items.map((item) => [[...item.codebook0]]);
    let encoded = '';
    for (let codebook = 1; codebook < codebooks; codebook++) {
      signal?.throwIfAborted();
      const { source, target } = network.reading(config, codebook, codebooks);
      if (source.join() !== encoded) {
        for (const [slot, positions] of packSources(source).entries())
          await contexts.write(positions, sourceLength, memory.slots[slot]);
        encoded = source.join();
      }
      const head = codebookIds(model, codebook);
      const { codes } = await decoder({
        ...feeds,
        ...memory.context,
        tokens: tokens.of(written, target),
        head,
      });
      written.forEach((item, row) => {
        const start = row * targetLength;
        item.push(Array.from(codes.subarray(start, start + item[0].length)));
      });
    }
    return written.map((codes) => codes.slice(1));
  } finally {
    await memory.release();
  }
}

/** How large a program is needed: few sizes, so that few are compiled. */
function shapeOf(
  items: readonly PartnerItem[],
  sources: readonly (readonly unknown[])[],
  config: PartnerModel['config'],
): PartnerShape {
  const sourceLengths = sources.map(({ length }) => length);
  const targetLengths = items.map(({ codebook0 }) => codebook0.length);
  return {
    rows: 2 ** Math.ceil(Math.log2(items.length)),
    sourceLength: steppedLength(sourceLengths, SOURCE_STEP, config),
    targetLength: steppedLength(targetLengths, TARGET_STEP, config),
  };
}

/** Of each row which prompt it has and what of source and target is filled. A row without an item has the first prompt and no target. */
function rowFeeds(
  items: readonly PartnerItem[],
  promptOf: readonly number[],
  sources: readonly (readonly unknown[])[],
  { rows, sourceLength, targetLength }: PartnerShape,
) {
  const prompts = Int32Array.from({ length: rows }, (_, row) => promptOf[row] ?? 0);
  const sourcesOfRows = Array.from(prompts, (prompt) => sources[prompt]);
  const targetsOfRows = Array.from({ length: rows }, (_, row) => items[row]?.codebook0 ?? []);
  return {
    promptOf: prompts,
    sourceMask: attentionMask(sourcesOfRows, sourceLength),
    targetMask: attentionMask(targetsOfRows, targetLength),
  };
}

const isSamePrompt = (a: PartnerItem, b: PartnerItem): boolean =>
  a.source === b.source && a.instruction === b.instruction;

/** Sums of the embeddings of each position's codes, [rows, length, D]; codebooks that are in the sum already are not added again. */
function createTokenSum({ config, network, tokenizer, weights }: PartnerModel, rows: number, length: number) {
  const { table, width, scale } = network.embedding(config, weights);
  const sum = new Float32Array(rows * length * width);
  let summed: readonly number[] = [];

  function add(codebook: number, codes: readonly number[], row: number): void {
    for (const [frame, code] of codes.entries()) {
      const from = tokenizer.codeId(codebook, code) * width;
      const to = (row * length + frame) * width;
      for (let i = 0; i < width; i++) sum[to + i] += scale * table[from + i];
    }
  }

  return {
    of(written: readonly Codes[], codebooks: readonly number[]): Float32Array {
      if (!summed.every((codebook) => codebooks.includes(codebook))) {
        sum.fill(0);
        summed = [];
      }
      for (const codebook of codebooks.filter((each) => !summed.includes(each))) {
        for (const [row, codes] of written.entries()) add(codebook, codes[codebook], row);
      }
      summed = codebooks;
      return sum;
    },
  };
}
