/** Weights as inputs of programs, kept once in the engine's memory for all programs that read them. */
import type { HostTensor } from '../engine/host-tensor.js';
import { checkResident, defaultHost, residentBytes, type InputSpec, type Resident } from '../engine/index.js';
import { openParts } from '../release.js';

type HostWeights = ReadonlyMap<string, HostTensor>;

/** Input declarations for weights that are fed, not constant. */
export function weightSpecs(weights: HostWeights): Record<string, InputSpec> {
  return Object.fromEntries(
    [...weights].map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]),
  );
}

/** Weights in the engine's memory, to be fed to a program that declares them as inputs. */
export interface ResidentWeights {
  readonly tensors: Readonly<Record<string, Resident>>;
  release(): Promise<void>;
}

const WHAT = 'a copy of the weights (at most 1,073 million can be copied)';

const shapesOf = (weights: HostWeights) => [...weights].map(([name, { shape }]) => [name, shape] as const);

/** @throws Error when the weights do not fit into the engine's memory */
export function checkUploadable(weights: HostWeights): void {
  checkResident(
    WHAT,
    shapesOf(weights).reduce((sum, [, shape]) => sum + residentBytes(shape), 0),
  );
}

/** Copies float32 weights into the engine's memory. */
export async function uploadWeights(weights: HostWeights): Promise<ResidentWeights> {
  const host = defaultHost();
  return openParts(async (opened) => {
    const { tensors, release } = await host.allocate(shapesOf(weights), WHAT);
    opened.push(release);
    for (const [name, place] of tensors) await host.write(place, weights.get(name)!.data as Float32Array);
    return { tensors: Object.fromEntries(tensors), release };
  });
}
