/**
 * The partner's compiled programs: the encoder and what the decoder reads of its states, one prompt at a time, and the decoder that writes
 * one codebook of several rows.
 */
import type { Tensor1D } from '@tensorflow/tfjs-core';
import {
  compile,
  keepPrograms,
  tf,
  type Compiled,
  type CompileOptions,
  type Device,
  type DeviceTensor,
  type HostArray,
  type InputSpec,
} from '../engine/index.js';
import { releaseAll } from '../release.js';
import { remember } from '../remember.js';
import type { PartnerNetwork } from './architecture.js';
import type { Policy } from './policy.js';
import { uploadWeights, weightSpecs, type ResidentWeights } from './resident-weights.js';

/** Sizes of one pass: R rows of at most T frames, which answer at most R prompts of at most S positions. */
export interface PartnerShape {
  rows: number;
  sourceLength: number;
  targetLength: number;
}

/** A policy whose architecture can be a partner. */
export interface PartnerModel extends Policy {
  readonly network: PartnerNetwork;
}

/** Programs kept at once, those used last. There are hundreds of shapes: a long run must not come to hold programs for them all. */
const MOST_PROGRAMS = 32;

/** A program that has its weights. */
type Run = (
  feeds: Readonly<Record<string, HostArray | DeviceTensor>>,
  into?: Readonly<Record<string, DeviceTensor>>,
) => Promise<Record<string, HostArray>>;

/** Compiles where it is needed, and frees what was not used for long. All programs read the same weights. */
export interface PartnerPrograms {
  /** Inputs: promptIds [1, S, idsPerPosition], promptMask [1, S]. Output: states [1, S, D] of the prompt. */
  encoder(sourceLength: number, idsPerPosition: number): Promise<Run>;
  /** Input: states [1, S, D]. Outputs: the prompt's context (`PartnerNetwork`). */
  context(sourceLength: number): Promise<Run>;
  /**
   * Inputs: tokens [R, T, D], the sum of each position's embeddings; targetMask [R, T]; the context, one slot a prompt [R, ...shape];
   * promptOf [R], the slot that a row answers; sourceMask [R, S]; head [codebookSize], the ids that may be written. Output: codes
   * [R * T], the likeliest of them.
   */
  decoder(shape: PartnerShape): Promise<Run>;
  /** Frees the device's copy of the weights, where it needs one, until the next run. */
  releaseWeights(): Promise<void>;
  dispose(): Promise<void>;
}

export function openPartnerPrograms(model: PartnerModel, device: Device, int8 = false): PartnerPrograms {
  const { config, network, weights } = model;
  const { width } = network.embedding(config, weights);
  const options = { device, int8 };
  const programs = keepPrograms(MOST_PROGRAMS);
  const uploaded = new Map<PartnerModel, Promise<ResidentWeights>>();
  const releaseWeights = async () => {
    const held = uploaded.get(model);
    uploaded.clear();
    await (await held?.catch(() => undefined))?.release();
  };
  const keep = async (key: string, make: () => Promise<Compiled>): Promise<Run> => {
    const run = await programs.get(key, make);
    return async (feeds, into) => {
      const { tensors } = await remember(uploaded, model, () => uploadWeights(weights, device));
      return run({ ...tensors, ...feeds }, into);
    };
  };
  return {
    encoder: (sourceLength, idsPerPosition) =>
      keep(`encoder ${sourceLength} ${idsPerPosition}`, () =>
        compile(
          (w) => ({ states: network.encode(config, w, w.promptIds, w.promptMask) }),
          {
            promptIds: { shape: [1, sourceLength, idsPerPosition], dtype: 'int32' },
            promptMask: { shape: [1, sourceLength], dtype: 'float32' },
            ...weightSpecs(weights),
          },
          options,
        ),
      ),
    context: (sourceLength) =>
      keep(`context ${sourceLength}`, () =>
        compile(
          (w) => network.context(config, w, w.states),
          { states: { shape: [1, sourceLength, width], dtype: 'float32' }, ...weightSpecs(weights) },
          options,
        ),
      ),
    decoder: (shape) => keep(`decoder ${JSON.stringify(shape)}`, () => compileDecoder(model, shape, options)),
    releaseWeights,
    dispose: () => releaseAll([releaseWeights, () => programs.release()]),
  };
}

function compileDecoder(
  { architecture, config, network, tokenizer, weights }: PartnerModel,
  { rows, sourceLength, targetLength }: PartnerShape,
  options: CompileOptions,
): Promise<Compiled> {
  const { width } = network.embedding(config, weights);
  const slots = Object.entries(network.contextShapes(config, sourceLength)).map(
    ([name, shape]) => [name, { shape: [rows, ...shape], dtype: 'float32' }] as const,
  );
  return compile(
    (w) => {
      const context = (name: string) => tf.gather(w[name], w.promptOf as Tensor1D);
      const { tokens, targetMask, sourceMask } = w;
      const hidden = network.decode(config, w, { tokens, targetMask, context, sourceMask });
      const states = tf.reshape(hidden, [rows * targetLength, width]);
      return { codes: tf.argMax(architecture.logits(w, states, w.head), -1) };
    },
    {
      tokens: { shape: [rows, targetLength, width], dtype: 'float32' },
      targetMask: { shape: [rows, targetLength], dtype: 'float32' },
      promptOf: { shape: [rows], dtype: 'int32' },
      sourceMask: { shape: [rows, sourceLength], dtype: 'float32' },
      head: { shape: [tokenizer.codebookSize], dtype: 'int32' },
      ...Object.fromEntries<InputSpec>(slots),
      ...weightSpecs(weights),
    },
    options,
  );
}
