/** The partner's compiled programs: the encoder, one prompt at a time, and the decoder that writes one codebook of several rows. */
import { compile, tf, type Compiled, type InputSpec } from '../engine/index.js';
import { addPositions, decoderLayers } from './bart.js';
import { compileEncoder, constant, crossKey, crossValue, layers } from './decoder-step.js';
import { headLogits } from './head.js';
import type { Policy } from './policy.js';

/** Sizes of one pass: R rows of at most T frames, which answer at most R prompts of at most S positions. */
export interface NarShape {
  rows: number;
  sourceLength: number;
  targetLength: number;
}

/**
 * Programs kept at once, those used last. Each has a copy of the weights, and there are hundreds of shapes: a long run must not come to
 * hold them all.
 */
const MOST_PROGRAMS = 32;

/** Compiles where it is needed, and frees what was not used for long. */
export interface NarPrograms {
  /** `compileEncoder` for one prompt with `idsPerPosition` codebooks. */
  encoder(sourceLength: number, idsPerPosition: number): Promise<Compiled>;
  /**
   * Inputs: tokens [R, T, D], the sum of each position's embeddings; targetMask [R, T]; crossKey and crossValue of every layer
   * [R, heads, S, D / heads], one slot a prompt; promptOf [R], the slot that a row answers; sourceMask [R, S]; head
   * [codebookSize], the ids that may be written. Output: codes [R * T], the likeliest of them.
   */
  decoder(shape: NarShape): Promise<Compiled>;
  dispose(): Promise<void>;
}

export function openNarPrograms(policy: Policy): NarPrograms {
  const programs = new Map<string, Promise<Compiled>>();
  const keep = async (key: string, make: () => Promise<Compiled>): Promise<Compiled> => {
    const program = programs.get(key) ?? make();
    // A map remembers the order of its entries: the one used last comes last.
    programs.delete(key);
    programs.set(key, program);
    const [[oldestKey, oldest]] = programs;
    if (programs.size > MOST_PROGRAMS) {
      programs.delete(oldestKey);
      await (await oldest).dispose();
    }
    return program;
  };
  return {
    encoder: (sourceLength, idsPerPosition) =>
      keep(`encoder ${sourceLength} ${idsPerPosition}`, () =>
        compileEncoder(policy.config, policy.weights, { prompts: 1, sourceLength }, idsPerPosition),
      ),
    decoder: (shape) => keep(`decoder ${JSON.stringify(shape)}`, () => compileDecoder(policy, shape)),
    async dispose() {
      for (const program of programs.values()) await (await program).dispose();
      programs.clear();
    },
  };
}

function compileDecoder(
  { config, tokenizer, weights }: Policy,
  { rows, sourceLength, targetLength }: NarShape,
): Promise<Compiled> {
  const width = config.d_model;
  const heads = config.decoder_attention_heads;
  const cross: InputSpec = { shape: [rows, heads, sourceLength, width / heads], dtype: 'float32' };
  const names = [...weights.keys()].filter((name) => !name.startsWith('model.encoder.'));
  return compile(
    (w) => {
      const ofRows = (slots: string) => tf.gather(w[slots], w.promptOf as ReturnType<typeof tf.tensor1d>);
      const hidden = decoderLayers(
        config,
        w,
        addPositions(config, w, 'decoder', w.tokens),
        (layer) => ({ keys: ofRows(crossKey(layer)), values: ofRows(crossValue(layer)) }),
        w.sourceMask,
        tf.reshape(w.targetMask, [rows, 1, 1, targetLength]),
      );
      const logits = headLogits(w, tf.reshape(hidden, [rows * targetLength, width]), w.head);
      return { codes: tf.argMax(logits, -1) };
    },
    {
      tokens: { shape: [rows, targetLength, width], dtype: 'float32' },
      targetMask: { shape: [rows, targetLength], dtype: 'float32' },
      promptOf: { shape: [rows], dtype: 'int32' },
      sourceMask: { shape: [rows, sourceLength], dtype: 'float32' },
      head: { shape: [tokenizer.codebookSize], dtype: 'int32' },
      ...Object.fromEntries(
        layers(config).flatMap((layer) => [
          [crossKey(layer), cross],
          [crossValue(layer), cross],
        ]),
      ),
    },
    { constants: Object.fromEntries(names.map((name) => [name, constant(weights, name)])) },
  );
}
