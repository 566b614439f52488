/** What an objective's programs give for batches, with the weights as they are on the device. */
import { keepPrograms, type Compiled, type Device, type DeviceTensor } from '../engine/index.js';
import { compileBatch, gradientOutputs, type SplitWeights } from './gradient-program.js';
import type { Arrays, Objective } from './objective.js';
import type { TrainingState } from './training-state.js';

/**
 * Programs that a training keeps: one for each shape of a batch, forward, and one forward and backward. Lengths are rounded up, so that a
 * training has some ten of them.
 */
const MOST_PROGRAMS = 64;

export interface Passes<Batch> {
  /** The outputs for a batch, one of `all` that count together. */
  forward(batch: Batch, all: readonly Batch[]): Promise<Arrays>;
  /** Also writes the gradients to the training's state. */
  backward(batch: Batch, all: readonly Batch[]): Promise<Arrays>;
  /** Frees the programs; another pass compiles them anew. */
  release(): Promise<void>;
}

/** @param base tensors of weights that are only read */
export function createPasses<Batch, Shape extends object, Metrics extends { loss: number }>(
  objective: Objective<Batch, Shape, Metrics>,
  split: SplitWeights,
  device: Device,
  { parameters, gradients }: Pick<TrainingState, 'parameters' | 'gradients'>,
  base: Readonly<Record<string, DeviceTensor>> = {},
): Passes<Batch> {
  const programs = keepPrograms(MOST_PROGRAMS);
  const programOf = (batch: Batch, backward: boolean): Promise<Compiled> => {
    const shape = objective.shape(batch);
    return programs.get(JSON.stringify([shape, backward]), () =>
      compileBatch(objective.program(shape), split, { device, backward }),
    );
  };
  return {
    async forward(batch, all) {
      const run = await programOf(batch, false);
      return run({ ...base, ...parameters, ...objective.collate(batch, all) });
    },
    async backward(batch, all) {
      const run = await programOf(batch, true);
      const arrays = { ...objective.collate(batch, all), ...objective.targets?.(batch, all) };
      return run({ ...base, ...parameters, ...arrays }, gradientOutputs(gradients));
    },
    release: () => programs.release(),
  };
}
