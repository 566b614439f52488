/** Weights as inputs of programs, kept once in the engine's memory for all programs that read them. */
import type { HostTensor } from '../checkpoint/safetensors.js';
import { defaultHost, type InputSpec, type Resident } from '../engine/index.js';
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

/** Copies float32 weights into the engine's memory. */
export async function uploadWeights(weights: HostWeights): Promise<ResidentWeights> {
  const host = defaultHost();
  return openParts(async (opened) => {
    const { tensors, release } = await host.allocate([...weights].map(([name, { shape }]) => [name, shape]));
    opened.push(release);
    for (const [name, place] of tensors) await host.write(place, weights.get(name)!.data as Float32Array);
    return { tensors: Object.fromEntries(tensors), release };
  });
}
