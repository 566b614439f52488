/** What a training is told of a method: everything else, from batches to snapshots, is `optimize`'s. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { HostTensor } from '../engine/host-tensor.js';
import type { CompileOptions, HostArray, InputSpec } from '../engine/index.js';
import type { Tensors } from '../policy/architecture.js';

/** Arrays by the name of an input or output. */
export type Arrays = Readonly<Record<string, HostArray>>;

/** How the batches of one shape are computed; pure functions of tensors, which are compiled once a shape. */
export interface BatchProgram {
  /** What `forward` reads besides the weights. */
  inputs: Readonly<Record<string, InputSpec>>;
  /** What only `loss` reads. */
  targets?: Readonly<Record<string, InputSpec>>;
  /** Inputs that are the same for each batch of this shape. */
  constants?: CompileOptions['constants'];
  /** What the network says of the batch: whatever loss, metrics or `prepare` need of it. */
  forward(tensors: Tensors): Tensors;
  /** A scalar, differentiable in the weights. Those of a step's batches are added up: means are over the whole step. */
  loss(outputs: Tensors, tensors: Tensors): Tensor;
}

/**
 * A method of training: what its batches are as arrays, what of them is to be minimized, and what is reported. `Batch` is what one
 * forward and backward pass takes, `Shape` the sizes that a program is compiled for, as a plain object: batches of equal shapes share one.
 */
export interface Objective<Batch, Shape extends object, Metrics extends { loss: number }> {
  /** Names of weights that are not trained, few enough to be constants of each program. */
  readonly fixed?: readonly string[];
  /** Names of weights that are not trained and lie on the device once for all programs: what an adapter is an adapter of. */
  readonly frozen?: readonly string[];
  /** The sizes that the batch's program is compiled for. */
  shape(batch: Batch): Shape;
  /** The program of batches of these sizes. */
  program(shape: Shape): BatchProgram;
  /** The arrays of the program's `inputs`. `step`: the batches whose gradients add up to one step, this one among them. */
  collate(batch: Batch, step: readonly Batch[]): Arrays;
  /** The arrays of the program's `targets`. */
  targets?(batch: Batch, step: readonly Batch[]): Arrays;
  /**
   * Of all batches of a step, or of all that validation takes, from what `forward` gave for each. A `loss` that is not finite ends the
   * training.
   */
  metrics(step: readonly Batch[], outputs: readonly Arrays[]): Metrics;
  /** Runs before the first step, also of a training that is resumed, with the weights as they were given. */
  prepare?(forward: (batch: Batch) => Promise<Arrays>): Promise<void>;
  /** Runs after each step, with how many were taken; `read` gives copies of the trained weights. */
  stepped?(step: number, read: () => Promise<Map<string, Float32Array>>): Promise<void>;
  /** Tensors of its own that a training is resumed from, by name, as they are after `stepped`. */
  snapshot?(): ReadonlyMap<string, HostTensor>;
  /** What `snapshot` gave, before the first step of a training that is resumed. */
  restore?(tensors: ReadonlyMap<string, HostTensor>): Promise<void>;
}
