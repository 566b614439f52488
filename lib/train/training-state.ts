/** What one training holds on its device: parameters, gradients and AdamW's moments. */
import type { HostTensor } from '../engine/host-tensor.js';
import type { Device, DeviceOptimizer, DeviceTensor } from '../engine/index.js';
import { writeWeights } from '../policy/resident-weights.js';
import { openParts, releaseAll } from '../release.js';
import { ADAMW_DEFAULTS, adamwUpdate, isDecayed, type AdamWOptions } from './adamw.js';
import type { TrainingSnapshot } from './snapshot.js';

export interface TrainingState {
  /** Tensors to feed to a compiled program, by weight name. */
  readonly parameters: Readonly<Record<string, DeviceTensor>>;
  /** Where a compiled program writes the gradients, by weight name. */
  readonly gradients: Readonly<Record<string, DeviceTensor>>;
  /** Adds the gradients to those of earlier micro-batches of this step; without it a step takes the gradients as they are. */
  accumulate(): Promise<void>;
  /**
   * Clips to the L2 norm of all gradients (torch.nn.utils.clip_grad_norm_: factor min(1, max / (norm + 1e-6))) and takes one AdamW step.
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

/** What a training holds of each: itself, its gradient, two moments, and the sum of a step's gradients. */
export const NUMBERS_PER_PARAMETER = 5;

/** @throws Error in one sentence when the device cannot hold a training of these weights, saying how many parameters it can */
export function checkTrainable(
  weights: ReadonlyMap<string, Pick<HostTensor, 'shape'>>,
  device: Device,
): void {
  device.checkOptimizer([...weights.values()].map(({ shape }) => shape));
}

/**
 * Uploads `weights` (float32) and makes room for their gradients and moments; on the CPU five times the weights' memory.
 *
 * @throws Error in one sentence where an earlier training has freed the weights
 */
export async function openTrainingState(
  weights: ReadonlyMap<string, HostTensor>,
  device: Device,
  options: AdamWOptions = ADAMW_DEFAULTS,
): Promise<TrainingState> {
  return openParts(async (opened) => {
    const groups: Group[] = [];
    for (const { shapes, ...group } of groupsOf(weights, options)) {
      const optimizer = await device.openOptimizer(shapes);
      opened.push(() => optimizer.release());
      groups.push({ ...group, optimizer });
    }
    const state = createState(weights, device, groups);
    await writeWeights(weights, new Map(Object.entries(state.parameters)), device);
    return state;
  });
}

/** Parameters that one optimizer of the device updates, all by the same scalars. */
interface Group {
  optimizer: DeviceOptimizer;
  options: AdamWOptions;
}

/** Without weight decay one group; with it those that decay, and those that do not. */
function groupsOf(weights: ReadonlyMap<string, HostTensor>, options: AdamWOptions) {
  const shapes = [...weights].map(([name, { shape }]) => [name, shape] as const);
  if (options.weightDecay === 0) return [{ shapes, options }];
  return [
    { shapes: shapes.filter(([, shape]) => isDecayed(shape)), options },
    { shapes: shapes.filter(([, shape]) => !isDecayed(shape)), options: { ...options, weightDecay: 0 } },
  ].filter((group) => group.shapes.length > 0);
}

function createState(
  weights: ReadonlyMap<string, HostTensor>,
  device: Device,
  groups: readonly Group[],
): TrainingState {
  /** A region of all groups, in the order of the weights. */
  const together = (region: 'parameters' | 'gradients' | 'means' | 'squares') => {
    const tensors = new Map(groups.flatMap(({ optimizer }) => [...optimizer[region]]));
    return [...weights.keys()].map((name): [string, DeviceTensor] => [name, tensors.get(name)!]);
  };
  const places = () =>
    Object.entries({
      parameter: together('parameters'),
      mean: together('means'),
      square: together('squares'),
    }).flatMap(([region, tensors]) =>
      tensors.map(([name, place]) => ({
        key: `${region}/${name}`,
        shape: weights.get(name)!.shape,
        place,
      })),
    );
  let steps = 0;
  return {
    parameters: Object.fromEntries(together('parameters')),
    gradients: Object.fromEntries(together('gradients')),
    async accumulate() {
      for (const { optimizer } of groups) await optimizer.accumulate();
    },
    async step(learningRate, maxGradNorm) {
      let squares = 0;
      for (const { optimizer } of groups) squares += await optimizer.sumOfSquares();
      const norm = Math.sqrt(squares);
      if (!Number.isFinite(norm)) return norm;
      steps += 1;
      const clip = Math.min(1, maxGradNorm / (norm + 1e-6));
      for (const { optimizer, options } of groups)
        await optimizer.step(adamwUpdate(options, steps, learningRate, clip));
      return norm;
    },
    async download(take) {
      for (const [name, place] of together('parameters'))
        take(name, (await device.read(place)) as Float32Array);
    },
    snapshot() {
      const deferred = places().map(
        ({ key, shape, place }) =>
          [
            key,
            { shape, dtype: 'float32', read: () => device.read(place) as Promise<Float32Array> },
          ] as const,
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
        await device.write(place, (await snapshot.tensors.get(key)!.read()) as Float32Array);
      ({ steps } = snapshot);
    },
    release: () =>
      releaseAll(
        groups.map(
          ({ optimizer }) =>
            () =>
              optimizer.release(),
        ),
      ),
  };
}
