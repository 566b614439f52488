/** The partner's compiled programs: the encoder, one prompt at a time, and the decoder that writes one codebook of several rows. */
import {
  compile,
  keepPrograms,
  tf,
  type Compiled,
  type Device,
  type DeviceTensor,
  type HostArray,
  type InputSpec,
} from '../engine/index.js';
import { releaseAll } from '../release.js';
import { remember } from '../remember.js';
import { addPositions, decoderLayers } from './bart.js';
import { compileEncoder, crossKey, crossValue, layers } from './decoder-step.js';
import { headLogits } from './head.js';
import type { Policy } from './policy.js';
import { uploadWeights, weightSpecs, type ResidentWeights } from './resident-weights.js';

/** Sizes of one pass: R rows of at most T frames, which answer at most R prompts of at most S positions. */
export interface PartnerShape {
  rows: number;
  sourceLength: number;
  targetLength: number;
}

/** Programs kept at once, those used last. There are hundreds of shapes: a long run must not come to hold programs for them all. */
const MOST_PROGRAMS = 32;

/** A program that has its weights. */
type Run = (
  feeds: Readonly<Record<string, HostArray | DeviceTensor>>,
  into?: Readonly<Record<string, DeviceTensor>>,
) => Promise<Record<string, HostArray>>;

/** Compiles where it is needed, and frees what was not used for long. All programs read one copy of the weights. */
export interface PartnerPrograms {
  /** `compileEncoder` for one prompt with `idsPerPosition` codebooks. */
  encoder(sourceLength: number, idsPerPosition: number): Promise<Run>;
  /**
   * Inputs: tokens [R, T, D], the sum of each position's embeddings; targetMask [R, T]; crossKey and crossValue of every layer
   * [R, heads, S, D / heads], one slot a prompt; promptOf [R], the slot that a row answers; sourceMask [R, S]; head
   * [codebookSize], the ids that may be written. Output: codes [R * T], the likeliest of them.
   */
  decoder(shape: PartnerShape): Promise<Run>;
  /** Frees the copy of the weights until the next run. */
  releaseWeights(): Promise<void>;
  dispose(): Promise<void>;
}

export function openPartnerPrograms(policy: Policy, device: Device): PartnerPrograms {
  const programs = keepPrograms(MOST_PROGRAMS);
  const uploaded = new Map<Policy, Promise<ResidentWeights>>();
  const releaseWeights = async () => {
    const held = uploaded.get(policy);
    uploaded.clear();
    await (await held?.catch(() => undefined))?.release();
  };
  const keep = async (key: string, make: () => Promise<Compiled>): Promise<Run> => {
    const run = await programs.get(key, make);
    return async (feeds, into) => {
      const { tensors } = await remember(uploaded, policy, () => uploadWeights(policy.weights, device));
      return run({ ...tensors, ...feeds }, into);
    };
  };
  return {
    encoder: (sourceLength, idsPerPosition) =>
      keep(`encoder ${sourceLength} ${idsPerPosition}`, () =>
        compileEncoder(policy.config, policy.weights, { prompts: 1, sourceLength }, device, {
          idsPerPosition,
          feedsWeights: true,
        }),
      ),
    decoder: (shape) => keep(`decoder ${JSON.stringify(shape)}`, () => compileDecoder(policy, shape, device)),
    releaseWeights,
    dispose: () => releaseAll([releaseWeights, () => programs.release()]),
  };
}

function compileDecoder(
  { config, tokenizer, weights }: Policy,
  { rows, sourceLength, targetLength }: PartnerShape,
  device: Device,
): Promise<Compiled> {
  const width = config.d_model;
  const heads = config.decoder_attention_heads;
  const cross: InputSpec = { shape: [rows, heads, sourceLength, width / heads], dtype: 'float32' };
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
      ...weightSpecs(weights),
    },
    { device },
  );
}
