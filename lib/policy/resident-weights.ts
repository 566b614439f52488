/** Weights as inputs of programs, kept once on a device for all programs that read them. */
import { elementCount } from '../engine/graph.js';
import type { HostTensor } from '../engine/host-tensor.js';
import type { Device, DeviceTensor, InputSpec } from '../engine/index.js';
import { openParts } from '../release.js';
import type { HostWeights } from './architecture.js';

type Shaped = ReadonlyMap<string, Pick<HostTensor, 'shape'>>;

/** Input declarations for weights that are fed, not constant. */
export function weightSpecs(weights: Shaped): Record<string, InputSpec> {
  return Object.fromEntries(
    [...weights].map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]),
  );
}

/** Weights on a device, to be fed to a program that declares them as inputs. */
export interface ResidentWeights {
  readonly tensors: Readonly<Record<string, DeviceTensor>>;
  release(): Promise<void>;
}

const nameOf = ({ mostNumbers }: Device): string =>
  `a copy of the weights (at most ${Math.floor(mostNumbers / 1e6).toLocaleString('en-US')} million can be copied)`;

const shapesOf = (weights: Shaped) => [...weights].map(([name, { shape }]) => [name, shape] as const);

/** @throws Error when the weights are to be copied and do not fit into one allocation of the device */
export function checkUploadable(weights: Shaped, device: Device): void {
  if (device.lend) return;
  device.checkAllocation(
    shapesOf(weights).map(([, shape]) => shape),
    nameOf(device),
  );
}

/**
 * A weight's values.
 *
 * @throws Error in one sentence where they are not there, since a training has freed them
 */
export function valuesOf<Tensor extends HostTensor>(
  weights: ReadonlyMap<string, Tensor>,
  name: string,
): Tensor['data'] {
  const { shape, data } = weights.get(name)!;
  if (data.length === 0 && elementCount(shape) > 0)
    throw new Error(
      `the weight ${name} is empty: a training was told keepsWeights: false, and has not finished; load the model again`,
    );
  return data;
}

/** @throws Error as {@link valuesOf} */
export function checkValues(weights: ReadonlyMap<string, HostTensor>): void {
  for (const name of weights.keys()) valuesOf(weights, name);
}

/**
 * Copies float32 weights to their places on a device.
 *
 * @throws Error as {@link valuesOf}
 */
export async function writeWeights(
  weights: ReadonlyMap<string, HostTensor>,
  places: ReadonlyMap<string, DeviceTensor>,
  device: Device,
): Promise<void> {
  for (const [name, place] of places) await device.write(place, valuesOf(weights, name) as Float32Array);
}

/**
 * Gives float32 weights to a device for programs to read: a copy, or, where the device reads them where they are (`Device.lend`), themselves, which
 * are not to be changed until they are released.
 *
 * @throws Error as {@link writeWeights}
 */
export async function uploadWeights(weights: HostWeights, device: Device): Promise<ResidentWeights> {
  if (device.lend) {
    checkValues(weights);
    const { tensors, release } = await device.lend(weights);
    return { tensors: Object.fromEntries(tensors), release };
  }
  return openParts(async (opened) => {
    const { tensors, release } = await device.allocate(shapesOf(weights), nameOf(device));
    opened.push(release);
    await writeWeights(weights, tensors, device);
    return { tensors: Object.fromEntries(tensors), release };
  });
}
