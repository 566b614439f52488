/**
 * What an architecture is: everything that sampling, training, loading and saving ask of a network. BART (bart/) is one; a further one
 * is an object of this type, named in architectures.ts (docs/adding-an-architecture.md).
 *
 * Letters in shapes: P prompts of at most S ids, G completions of each prompt, R = P*G rows in the order prompt by prompt, T positions of
 * a completion, D width, V vocabulary. Masks are additive: 0 where a position counts, MASKED (padding.ts) where it does not.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { FloatTensor, HostTensor } from '../engine/host-tensor.js';
import type { HostArray, InputSpec, ProgramSource } from '../engine/index.js';

/** What everybody may ask of a configuration, by the key names of config.json; all else in it is its architecture's own. */
export interface ModelConfig {
  [key: string]: unknown;
  /** Names the architecture. */
  model_type: string;
  /** Ids there are. */
  vocab_size: number;
  /** Positions a sequence has at most. */
  max_position_embeddings: number;
  /** `<s>`, which begins a prompt and a completion. */
  bos_token_id: number;
  pad_token_id: number;
  /** `</s>`, which separates the parts of a prompt and ends a completion. */
  eos_token_id: number;
}

/** Tensors by name, in a program: weights, and whatever else the program reads. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Weights by name, in ordinary memory. */
export type HostWeights = ReadonlyMap<string, FloatTensor>;

/** A network with its weights. */
export interface Model<Config extends ModelConfig = ModelConfig> {
  readonly architecture: Architecture<Config>;
  readonly config: Config;
  /** float32, by the names of `Architecture.weightShapes`, and an adapter's (lora.ts). Training replaces the entries. */
  readonly weights: Map<string, FloatTensor>;
  /** The low-rank adapter that the weights hold beside the network's own; it alone is trained then. */
  readonly adapter?: Adapter;
}

/** A low-rank adapter (lora.ts), by PEFT's terms. */
export interface Adapter {
  /** PEFT's `r`. */
  readonly rank: number;
  /** PEFT's `lora_alpha`: the adapter's term is multiplied by alpha / rank. */
  readonly alpha: number;
  /** PEFT's `target_modules`: ends of the names of the layers that it is on. */
  readonly targets: readonly string[];
  /** What it is an adapter of: a folder, a hub's organisation/name@revision, or "default" for the embedded policy. */
  readonly base: string;
}

/** The scalar alpha / rank, among the weights of a model that has an adapter. */
export const LORA_SCALING = 'lora_scaling';

/** Names of the weights that are never trained. */
export function buffersOf({ architecture, weights }: Pick<Model, 'architecture' | 'weights'>): string[] {
  return [...weights.keys()].filter((name) => name === LORA_SCALING || !architecture.isTrained(name));
}

/** Sizes that a program is compiled for. */
export interface BatchSizes {
  /** P */
  readonly prompts: number;
  /** G */
  readonly samples: number;
  /** S */
  readonly promptLength: number;
  /** T */
  readonly completionLength: number;
}

/** Rows of token ids. */
export type Rows = readonly (readonly number[])[];

/** Functions without memory of their own; those that take tensors are TensorFlow.js programs, to be compiled or run eagerly. */
export interface Architecture<Config extends ModelConfig = ModelConfig> {
  /** config.json's model_type: "bart" */
  readonly modelType: string;
  /** For messages: "BART" */
  readonly title: string;
  /** Markdown for a checkpoint's model card: how other programs open the model, and what it reads and writes. */
  readonly usage?: string;

  /**
   * Validates the content of a config.json whose model_type is `modelType`.
   *
   * @param file the file's name, for messages
   * @throws Error with one sentence where the file describes something else than this architecture computes
   */
  parseConfig(content: unknown, file: string): Config;
  /** Names and shapes of all tensors, in the order in which they are written. */
  weightShapes(config: Config): ReadonlyMap<string, readonly number[]>;
  /**
   * The tensors of a file by the names of `weightShapes`: names that other writers use, tied copies, buffers that may be missing.
   * Default: as they are.
   *
   * @throws Error with one sentence, naming `directory`, where a file holds another network
   */
  fromFile?(
    tensors: ReadonlyMap<string, HostTensor>,
    config: Config,
    directory: string,
  ): Map<string, HostTensor>;
  /** New weights from a seed. */
  initialize(config: Config, seed: number): Map<string, FloatTensor>;
  /** False for a buffer, which is saved with the weights but never trained. */
  isTrained(name: string): boolean;
  /** Which linear layers, by the last part of their names, may carry a low-rank adapter, and PEFT's task_type. Default: none may. */
  readonly adaptable?: { readonly layers: readonly string[]; readonly taskType: string };

  /** Positions that a completion may take behind a prompt of `promptLength` ids. */
  completionPositions(config: Config, promptLength: number): number;

  /** What `hiddenStates` reads beside the weights: inputs, which `collate` fills, and constants, the same for each batch of these sizes. */
  batchInputs(
    config: Config,
    sizes: BatchSizes,
  ): { inputs: Record<string, InputSpec>; constants: ProgramSource['constants'] };
  /** The arrays of `batchInputs`, of P prompts and R completions as labels (`<s>` ... `</s>`), padded to `sizes`. */
  collate(config: Config, sizes: BatchSizes, prompts: Rows, completions: Rows): Record<string, HostArray>;
  /** Hidden states [R, T, D] of a batch: at position t what says label t of the row's completion. Differentiable. */
  hiddenStates(config: Config, tensors: Tensors): Tensor;
  /**
   * Output head: hidden states [N, D] to logits [N, V].
   *
   * @param rows [H] int32: these ids of the vocabulary alone; logits [N, H]
   */
  logits(tensors: Tensors, hidden: Tensor, rows?: Tensor): Tensor;

  readonly generation: Generation<Config>;
  /** What the non-autoregressive partner needs; an architecture without it is no partner. */
  readonly partner?: PartnerNetwork<Config>;
}

/**
 * How completions are written: one program reads the prompts and leaves a context of each; another writes a token to every row, and
 * is run once a token. What a row keeps of the tokens it has, it keeps in caches that grow by a position a step.
 */
export interface Generation<Config extends ModelConfig = ModelConfig> {
  /** Ids that a completion's rows are fed before its own first one. */
  startIds(config: Config): readonly number[];
  /** The context of one prompt, shapes by name. */
  contextShapes(config: Config, promptLength: number): Record<string, readonly number[]>;
  /**
   * Inputs: promptMask [P, S], and what `promptFeeds` gives. Outputs: the context, [P, ...shape] each. Weights are constants, so that a
   * device may pack them.
   */
  promptProgram(config: Config, weights: HostWeights, sizes: BatchSizes): ProgramSource;
  /** What `promptProgram` reads of P prompts beside their mask, padded to `sizes`. */
  promptFeeds(
    config: Config,
    weights: HostWeights,
    sizes: BatchSizes,
    prompts: Rows,
  ): Record<string, HostArray>;
  /** What a row keeps of a position, by name: [slots, width], often one slot a head. */
  cacheShapes(config: Config): Record<string, readonly [number, number]>;
  /**
   * Inputs: ids [R] int32, as indices into `vocabulary`; position [1] int32, counted from the first of the completion's ids that is fed
   * (a row that has ended is fed on while others are open, also beyond its last position); promptMask [P, S]; the context; every cache of
   * `cacheShapes` by its name, [T, R * slots, width] with the earlier positions (an `InputSpec` with growingAxis 0); cacheBias [T]
   * (growingAxis 0; [1] stands for all positions), to be added to the cache's attention scores: MASKED where a position is still empty.
   * ONNX Runtime cannot multiply by an empty cache, so at position 0 the caches hold one position that does not count; and some devices
   * are fed caches in steps (`Device.cacheStep`). It declares all axes open that P, R and S make the sizes of (`InputSpec.openAxes`;
   * `splitRows` helps), or none. Where it does, it is compiled once for any number of prompts of any length and of rows, and for caches of any
   * length, longer ones than `sizes` says too; and rows that have ended leave the batch.
   *
   * Outputs: logits [R, vocabulary]; this position's part of each cache, named by `nextOf`, [R * slots, 1, width].
   *
   * @param vocabulary the ids that may be read or written; the output head needs only their rows
   */
  stepProgram(config: Config, weights: HostWeights, sizes: BatchSizes, vocabulary: Int32Array): ProgramSource;
}

/** The step's output that is written behind the end of a cache. */
export const nextOf = (cache: string): string => `next ${cache}`;

/**
 * The network of the non-autoregressive partner (partner.ts): an encoder of positions that hold several codebooks each, and a decoder
 * that sees both ways.
 */
export interface PartnerNetwork<Config extends ModelConfig = ModelConfig> {
  /** Whether config.json says that the weights are a partner's, so that the model is no policy. */
  isPartner(config: Config): boolean;
  /** Which of the source's codebooks, and of those written so far, are read in order to write `codebook`. */
  reading(config: Config, codebook: number, codebooks: number): CodebookReading;
  /** The table [V, width] whose rows, times `scale`, are summed for the ids of a position. */
  embedding(config: Config, weights: HostWeights): { table: Float32Array; width: number; scale: number };
  /** The same in a program: ids [rows, length, K] to [rows, length, D], pad ids left out; [rows, length] for one id each. */
  embed(config: Config, tensors: Tensors, ids: Tensor): Tensor;
  /** The context of one prompt, shapes by name. */
  contextShapes(config: Config, promptLength: number): Record<string, readonly number[]>;
  /** Ids [P, S, K] and mask [P, S] to the encoder's states [P, S, D]. */
  encode(config: Config, tensors: Tensors, ids: Tensor, mask: Tensor): Tensor;
  /** The encoder's states [P, S, D] to the context, [P, ...shape] each: what of it the decoder reads. */
  context(config: Config, tensors: Tensors, states: Tensor): Record<string, Tensor>;
  /** Hidden states [R, T, D], each position seeing all others. */
  decode(config: Config, tensors: Tensors, inputs: PartnerInputs): Tensor;
}

/** Codebooks that the partner reads in order to write one: of the source recording, and of what is written so far. */
export interface CodebookReading {
  source: number[];
  target: number[];
}

/** What the partner's decoder reads. */
export interface PartnerInputs {
  /** [R, T, D], sums of embeddings without positions. */
  tokens: Tensor;
  /** [R, T] */
  targetMask: Tensor;
  /** A tensor of the context, of each row's prompt: [R, ...shape]; made when it is asked for, so that not all are in memory at once. */
  context(name: string): Tensor;
  /** [R, S] */
  sourceMask: Tensor;
}
