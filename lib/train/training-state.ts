/** What one training holds in the engine's memory: parameters, gradients and AdamW's moments, side by side. */
import type { DeferredTensor, HostTensor } from '../engine/host-tensor.js';
import {
  checkResident,
  defaultHost,
  MOST_RESIDENT_NUMBERS,
  residentBytes,
  type EngineHost,
  type Resident,
  type ResidentTensors,
} from '../engine/index.js';
import { elementCount } from '../engine/graph.js';
import { openParts } from '../release.js';
import { ADAMW_DEFAULTS, assembleAdamW, stepArguments, type AdamWOptions } from './adamw.js';

const REGIONS = ['parameter', 'gradient', 'mean', 'square', 'total'] as const;
type Region = (typeof REGIONS)[number];

/**
 * Programs that a training keeps: one for each shape of a batch, forward, and one forward and backward. Lengths are rounded up, so that a
 * training has some ten of them.
 */
export const MOST_PROGRAMS = 64;

/** What a training goes on from, to the bit. */
export interface TrainingSnapshot {
  /** Optimizer steps taken. */
  steps: number;
  /** float32: `parameter/NAME` and AdamW's moments, `mean/NAME` and `square/NAME`; to be read before the next step. */
  tensors: ReadonlyMap<string, DeferredTensor>;
}

const SNAPSHOT_REGIONS = ['parameter', 'mean', 'square'] as const;

export interface TrainingState {
  /** Tensors to feed to a compiled program, by weight name. */
  readonly parameters: Readonly<Record<string, Resident>>;
  /** Where a compiled program writes the gradients, by weight name. */
  readonly gradients: Readonly<Record<string, Resident>>;
  /** Adds the gradients to those of earlier micro-batches of this step; without it a step takes the gradients as they are. */
  accumulate(): Promise<void>;
  /**
   * Clips to a global L2 norm (torch.nn.utils.clip_grad_norm_: factor min(1, max / (norm + 1e-6))) and takes one AdamW step.
   * @returns the norm before clipping; where it is not finite, no step was taken
   */
  step(learningRate: number, maxGradNorm: number): Promise<number>;
  /** Gives out copies of the parameters one after the other, so that what they replace may be freed meanwhile. */
  download(take: (name: string, data: Float32Array) => void): Promise<void>;
  /** Everything that later steps depend on, as it is until the next step; nothing is copied before it is read. */
  snapshot(): TrainingSnapshot;
  /** @throws if the snapshot is of other weights */
  restore(snapshot: TrainingSnapshot): Promise<void>;
  release(): Promise<void>;
}

/**
 * Whether a training of these weights fits into the engine's memory.
 *
 * @throws Error saying how many parameters there are and how many would fit
 */
export function checkTrainable(weights: ReadonlyMap<string, Pick<HostTensor, 'shape'>>): void {
  const shapes = [...weights.values()].map(({ shape }) => shape);
  const count = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  const bytes = REGIONS.length * shapes.reduce((sum, shape) => sum + residentBytes(shape), 0);
  const most = MOST_RESIDENT_NUMBERS / REGIONS.length;
  checkResident(
    `training a model of ${millions(count)} parameters (at most ${millions(most)} can be trained)`,
    bytes,
  );
}

const millions = (count: number): string => `${Math.floor(count / 1e6)} million`;

/** Uploads `weights` (float32) and makes room for their gradients and moments; five times the weights' memory. */
export async function openTrainingState(
  weights: ReadonlyMap<string, HostTensor>,
  options: AdamWOptions = ADAMW_DEFAULTS,
  host: EngineHost = defaultHost(),
): Promise<TrainingState> {
  checkTrainable(weights);
  return openParts(async (opened) => {
    const resident = await host.allocate(
      REGIONS.flatMap((region) =>
        [...weights].map(([name, { shape }]) => [`${region}/${name}`, shape] as const),
      ),
    );
    opened.push(() => resident.release());
    return fillState(weights, options, host, resident);
  });
}

async function fillState(
  weights: ReadonlyMap<string, HostTensor>,
  options: AdamWOptions,
  host: EngineHost,
  resident: ResidentTensors,
): Promise<TrainingState> {
  const names = [...weights.keys()];
  const inRegion = (region: Region): Record<string, Resident> =>
    Object.fromEntries(names.map((name) => [name, resident.tensors.get(`${region}/${name}`)!]));
  const parameters = inRegion('parameter');
  const gradients = inRegion('gradient');
  for (const name of names) await host.write(parameters[name], weights.get(name)!.data as Float32Array);
  const kernel = await host.call('instantiate', resident.memory, await assembleAdamW());
  const size = resident.byteLength / REGIONS.length;
  const [parameter, gradient, mean, square, total] = REGIONS.map((_, index) => index * size);
  const places = () =>
    SNAPSHOT_REGIONS.flatMap((region) =>
      names.map((name) => ({
        key: `${region}/${name}`,
        shape: weights.get(name)!.shape,
        place: resident.tensors.get(`${region}/${name}`)!,
      })),
    );
  let steps = 0;
  let accumulated = false;
  return {
    parameters,
    gradients,
    async accumulate() {
      await host.call('call', kernel, 'accumulate', [total, gradient, total + size]);
      accumulated = true;
    },
    async step(learningRate, maxGradNorm) {
      const source = accumulated ? total : gradient;
      const sumOfSquares = await host.call('call', kernel, 'sum_of_squares', [source, source + size]);
      const norm = Math.sqrt(sumOfSquares);
      if (!Number.isFinite(norm)) return norm;
      steps += 1;
      const clip = Math.min(1, maxGradNorm / (norm + 1e-6));
      const scalars = stepArguments(options, steps, learningRate, clip);
      await host.call('call', kernel, 'step', [
        parameter,
        parameter + size,
        source,
        mean,
        square,
        ...scalars,
      ]);
      if (accumulated) await host.call('clear', resident.memory, total, size);
      accumulated = false;
      return norm;
    },
    async download(take) {
      for (const name of names) take(name, (await host.read(parameters[name])) as Float32Array);
    },
    snapshot() {
      const deferred = places().map(
        ({ key, shape, place }) =>
          [key, { shape, dtype: 'float32', read: () => host.read(place) as Promise<Float32Array> }] as const,
      );
      return { steps, tensors: new Map(deferred) };
    },
    async restore(snapshot) {
      const wanted = places();
      for (const { key, shape } of wanted) {
        const found = snapshot.tensors.get(key)?.shape;
        if (String(found) !== String(shape))
          throw new Error(
            `the snapshot's ${key} has shape [${found?.join(', ')}], not [${shape.join(', ')}]`,
          );
      }
      for (const { key, place } of wanted)
        await host.write(place, (await snapshot.tensors.get(key)!.read()) as Float32Array);
      ({ steps } = snapshot);
    },
    release: () => resident.release(),
  };
}
