import { inspect, isDeepStrictEqual } from 'node:util';
import { asStateDict, parseTorchFile } from '../../checkpoint/torch-file.js';
import type { Weights } from '../onnx-builder.js';
import { NISQA, type NisqaNetwork } from './published.js';

/**
 * Reads a checkpoint of the authors (a PyTorch file in spite of its name, nisqa.tar).
 *
 * @param name stands for the file in error messages
 * @param network which of the published ones is expected
 * @throws Error naming the file when it is no such checkpoint, or one of another network
 */
export function parseNisqaWeights(
  bytes: Uint8Array,
  name: string,
  { settings: supportedSettings, place }: NisqaNetwork = NISQA,
): Weights {
  const checkpoint = parseTorchFile(bytes, name);
  const settings: unknown = checkpoint instanceof Map ? checkpoint.get('args') : undefined;
  if (!(checkpoint instanceof Map) || !(settings instanceof Map)) {
    throw new Error(`${name}: not a NISQA checkpoint: it has no "args" that describe the network`);
  }
  for (const [key, supported] of Object.entries(supportedSettings)) {
    const found: unknown = settings.get(key);
    if (!isDeepStrictEqual(found, supported)) {
      throw new Error(
        `${name}: a NISQA network with ${key} = ${show(found)}; only ${show(supported)} is supported (${place.cached})`,
      );
    }
  }
  const state = asStateDict(checkpoint.get('model_state_dict'), name);
  return (weight, shape) => {
    const tensor = state.get(weight);
    if (!tensor) throw new Error(`${name}: the weight "${weight}" is missing`);
    if (tensor.dtype !== 'float32' || !isDeepStrictEqual(tensor.shape, shape)) {
      throw new Error(
        `${name}: the weight "${weight}" is ${tensor.dtype} [${tensor.shape}]; expected float32 [${shape}]`,
      );
    }
    return tensor.data;
  };
}

/** On one line, and not deep: a few bytes can make lists of lists whose JSON does not fit into memory, or never ends. */
function show(setting: unknown): string {
  return inspect(setting, { depth: 1, breakLength: Infinity });
}
