/** The sequences of supervised training as a network reads them: completions behind prompts, or codebooks that a partner fills. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { HostArray, InputSpec, ProgramSource } from '../engine/index.js';
import type { BatchSizes, Model, Tensors } from '../policy/architecture.js';
import { attentionMask, padPositions } from '../policy/padding.js';

export interface Labelled {
  /** What is to be said at each position: an index into the batch's head. */
  readonly labels: readonly number[];
}

/** A completion of a prompt, written a label at a time. */
export interface CausalExample extends Labelled {
  readonly prompt: readonly number[];
}

/** What a partner fills. A position is the ids whose embeddings are summed there, one of each codebook. */
export interface PartnerExample extends Labelled {
  readonly source: readonly (readonly number[])[];
  readonly decoder: readonly (readonly number[])[];
}

/** How a network reads examples of a kind. */
export interface Sequences<Example extends Labelled = Labelled> {
  promptLength(example: Example): number;
  inputs(sizes: BatchSizes): { inputs: Record<string, InputSpec>; constants: ProgramSource['constants'] };
  /** @param head the vocabulary's ids that labels index */
  collate(sizes: BatchSizes, examples: readonly Example[], head: Int32Array): Record<string, HostArray>;
  /** [R, T, D]: at position t what says label t. */
  hiddenStates(tensors: Tensors): Tensor;
}

type Network = Pick<Model, 'architecture' | 'config'>;

export function causalSequences({ architecture, config }: Network): Sequences<CausalExample> {
  return {
    promptLength: ({ prompt }) => prompt.length,
    inputs: (sizes) => architecture.batchInputs(config, sizes),
    collate: (sizes, examples, head) =>
      architecture.collate(
        config,
        sizes,
        examples.map(({ prompt }) => prompt),
        examples.map(({ labels }) => labels.map((label) => head[label])),
      ),
    hiddenStates: (tensors) => architecture.hiddenStates(config, tensors),
  };
}

/**
 * @param idsEach ids at a position at most; shorter positions are filled with pad
 * @throws Error in one sentence where the network's architecture is no partner's
 */
export function partnerSequences(
  { architecture, config }: Network,
  idsEach: { source: number; decoder: number },
): Sequences<PartnerExample> {
  const { partner, title } = architecture;
  if (!partner)
    throw new Error(`a ${title} cannot be trained as a partner: it has no decoder that sees both ways`);
  return {
    promptLength: ({ source }) => source.length,
    inputs({ prompts: rows, promptLength, completionLength }) {
      const ids = (length: number, each: number): InputSpec => ({
        shape: each === 1 ? [rows, length] : [rows, length, each],
        dtype: 'int32',
      });
      return {
        inputs: {
          sourceIds: ids(promptLength, idsEach.source),
          sourceMask: { shape: [rows, promptLength], dtype: 'float32' },
          decoderIds: ids(completionLength, idsEach.decoder),
          decoderMask: { shape: [rows, completionLength], dtype: 'float32' },
        },
        constants: {},
      };
    },
    collate({ promptLength, completionLength }, examples) {
      const pad = config.pad_token_id;
      const sources = examples.map(({ source }) => source);
      const decoded = examples.map(({ decoder }) => decoder);
      return {
        sourceIds: padPositions(sources, promptLength, idsEach.source, pad),
        sourceMask: attentionMask(sources, promptLength),
        decoderIds: padPositions(decoded, completionLength, idsEach.decoder, pad),
        decoderMask: attentionMask(decoded, completionLength),
      };
    },
    hiddenStates(w) {
      const states = partner.encode(config, w, w.sourceIds, w.sourceMask);
      const context = partner.context(config, w, states);
      return partner.decode(config, w, {
        tokens: partner.embed(config, w, w.decoderIds),
        targetMask: w.decoderMask,
        context: (name) => context[name],
        sourceMask: w.sourceMask,
      });
    },
  };
}
