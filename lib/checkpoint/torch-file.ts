import { readGivenFile, refuseStandIn } from './given-file.js';
import type { HostTensor } from '../engine/host-tensor.js';
import { readStoredZip } from './stored-zip.js';
import { isOldTorchFile, parseOldTorchFile } from './torch-old.js';
import { showKey, unpickleTensors } from './torch-tensors.js';

/** Reads a file of `torch.save`; see {@link parseTorchFile}. */
export async function readTorchFile(path: string): Promise<unknown> {
  return parseTorchFile(await readGivenFile(path), path);
}

/**
 * The value that `torch.save` wrote, in its zip format or that from before PyTorch 1.6: dicts as Map, lists and tuples as arrays,
 * tensors as views of their storage; float16 and bfloat16 widened to float32. Nothing in the file is executed: it is raw numbers and a
 * pickle that may mention a few globals and no others.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file and what in it cannot be read
 */
export function parseTorchFile(bytes: Uint8Array, name: string): unknown {
  refuseStandIn(bytes, name);
  return isOldTorchFile(bytes) ? parseOldTorchFile(bytes, name) : parseTorchZip(bytes, name);
}

/**
 * The tensors of a state dict by name, from what {@link parseTorchFile} gave.
 *
 * @throws Error naming the file when that is not a dict of tensors
 */
export function asStateDict(value: unknown, name: string): Map<string, HostTensor> {
  if (!(value instanceof Map)) throw new Error(`${name}: not a state dict (a dict of tensors)`);
  for (const [key, tensor] of value as Map<unknown, unknown>) {
    if (typeof key !== 'string' || !isTensor(tensor))
      throw new Error(`${name}: its state dict has an entry ${showKey(key)} that is not a tensor`);
  }
  return value as Map<string, HostTensor>;
}

function parseTorchZip(bytes: Uint8Array, name: string): unknown {
  const entries = readStoredZip(bytes, name);
  const pickleName = [...entries.keys()].find((entry) => entry.endsWith('/data.pkl'));
  if (!pickleName) throw new Error(`${name}: not a PyTorch file: there is no data.pkl in it`);
  const folder = pickleName.slice(0, -'data.pkl'.length);
  const byteOrder = entries.get(`${folder}byteorder`);
  if (byteOrder && new TextDecoder().decode(byteOrder) !== 'little') {
    throw new Error(`${name}: written on a big-endian machine, which is not supported`);
  }
  return unpickleTensors(entries.get(pickleName)!, (key) => entries.get(`${folder}data/${key}`), name);
}

function isTensor(value: unknown): value is HostTensor {
  return (
    typeof value === 'object' && value !== null && 'shape' in value && 'dtype' in value && 'data' in value
  );
}
