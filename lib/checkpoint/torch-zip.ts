import { readFile } from 'node:fs/promises';
import { bfloat16ToFloat32, float16ToFloat32 } from './float16.js';
import { parsePickle, type PickleGlobal } from './pickle.js';
import type { HostTensor } from './safetensors.js';
import { readStoredZip } from './stored-zip.js';
import { cannotRead } from './files.js';

/** One storage of a PyTorch file, widened to the types this project computes in. */
type Storage = Pick<HostTensor, 'dtype' | 'data'>;

/** Reads a file of `torch.save`; see {@link parseTorchZip}. */
export async function readTorchZip(path: string): Promise<unknown> {
  const bytes = await readFile(path).catch(cannotRead(path));
  return parseTorchZip(bytes, path);
}

/**
 * The value that `torch.save` (PyTorch 1.6 and later) wrote: dicts as Map, lists and tuples as arrays, tensors as views of their
 * storage; float16 and bfloat16 widened to float32. Nothing in the file is executed: it is a zip of raw numbers and a pickle that may
 * mention the globals below and no others.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file and what in it cannot be read
 */
export function parseTorchZip(bytes: Uint8Array, name: string): unknown {
  const entries = readStoredZip(bytes, name);
  const pickleName = [...entries.keys()].find((entry) => entry.endsWith('/data.pkl'));
  if (!pickleName) throw new Error(`${name}: not a PyTorch file: there is no data.pkl in it`);
  const folder = pickleName.slice(0, -'data.pkl'.length);
  const byteOrder = entries.get(`${folder}byteorder`);
  if (byteOrder && new TextDecoder().decode(byteOrder) !== 'little') {
    throw new Error(`${name}: written on a big-endian machine, which is not supported`);
  }
  const storages = new Map<string, Storage>();
  const loaded = new Set<unknown>();
  const loadStorage = (id: unknown): Storage => {
    const { read, key } = parseStorageId(id, name);
    const known = storages.get(key);
    if (known) return known;
    const data = entries.get(`${folder}data/${key}`);
    if (!data) throw new Error(`${name}: its tensor data "data/${key}" is missing`);
    const storage = read(data, `${name}: its tensor data "data/${key}"`);
    storages.set(key, storage);
    loaded.add(storage);
    return storage;
  };
  const globals = new Map<string, PickleGlobal>([
    ...STORAGE_TYPES,
    ['collections OrderedDict', { call: () => new Map() }],
    ['torch._utils _rebuild_tensor_v2', { call: (args) => rebuildTensor(args, loaded, name) }],
  ]);
  return parsePickle(entries.get(pickleName)!, { name, globals, loadPersistent: loadStorage });
}

/**
 * The tensors of a state dict by name, from what {@link parseTorchZip} gave.
 *
 * @throws Error naming the file when that is not a dict of tensors
 */
export function asStateDict(value: unknown, name: string): Map<string, HostTensor> {
  if (!(value instanceof Map)) throw new Error(`${name}: not a state dict (a dict of tensors)`);
  for (const [key, tensor] of value as Map<unknown, unknown>) {
    if (typeof key !== 'string' || !isTensor(tensor))
      throw new Error(`${name}: its state dict has an entry "${String(key)}" that is not a tensor`);
  }
  return value as Map<string, HostTensor>;
}

interface StorageType extends PickleGlobal {
  read: (bytes: Uint8Array, name: string) => Storage;
}

const STORAGE_TYPES = new Map<string, StorageType>([
  [
    'torch FloatStorage',
    { read: (bytes, name) => ({ dtype: 'float32', data: new Float32Array(...aligned(bytes, 4, name)) }) },
  ],
  [
    'torch LongStorage',
    { read: (bytes, name) => ({ dtype: 'int64', data: new BigInt64Array(...aligned(bytes, 8, name)) }) },
  ],
  ['torch HalfStorage', { read: (bytes, name) => widened(float16ToFloat32, bytes, name) }],
  ['torch BFloat16Storage', { read: (bytes, name) => widened(bfloat16ToFloat32, bytes, name) }],
]);

function widened(widen: (halves: Uint16Array) => Float32Array, bytes: Uint8Array, name: string): Storage {
  return { dtype: 'float32', data: widen(new Uint16Array(...aligned(bytes, 2, name))) };
}

/** The constructor arguments of a typed array over `bytes`; they are copied only where their place in the file forbids a view. */
function aligned(bytes: Uint8Array, itemBytes: number, name: string): [ArrayBuffer, number, number] {
  if (bytes.length % itemBytes !== 0)
    throw new Error(`${name} has ${bytes.length} bytes, not a multiple of ${itemBytes}`);
  const source = bytes.byteOffset % itemBytes === 0 ? bytes : Uint8Array.from(bytes);
  return [source.buffer as ArrayBuffer, source.byteOffset, bytes.length / itemBytes];
}

/** PyTorch's persistent ids are ("storage", type, key, device, item count). */
function parseStorageId(id: unknown, name: string): { read: StorageType['read']; key: string } {
  const [kind, global, key] = Array.isArray(id) ? (id as unknown[]) : [];
  const type = [...STORAGE_TYPES.values()].find((known) => known === global);
  if (kind !== 'storage' || !type || typeof key !== 'string')
    throw new Error(`${name}: its pickle refers to data in an unknown way`);
  return { read: type.read, key };
}

/** torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks) */
function rebuildTensor(args: readonly unknown[], loaded: ReadonlySet<unknown>, name: string): HostTensor {
  const [storage, offset, shape, strides] = args;
  if (
    !loaded.has(storage) ||
    !isSize(offset) ||
    !isSizes(shape) ||
    !isSizes(strides) ||
    shape.length !== strides.length
  ) {
    throw new Error(`${name}: its pickle describes a tensor in an unknown way`);
  }
  const { dtype, data } = storage as HostTensor;
  let count = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1 && strides[axis] !== count) {
      throw new Error(
        `${name}: a tensor of shape [${shape}] has strides [${strides}]; only contiguous tensors are supported`,
      );
    }
    count *= shape[axis];
  }
  if (offset + count > data.length) {
    throw new Error(
      `${name}: a tensor of shape [${shape}] at ${offset} exceeds its data of ${data.length} numbers`,
    );
  }
  return { shape, dtype, data: data.subarray(offset, offset + count) } as HostTensor;
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isSizes = (value: unknown): value is number[] => Array.isArray(value) && value.every(isSize);

function isTensor(value: unknown): value is HostTensor {
  return (
    typeof value === 'object' && value !== null && 'shape' in value && 'dtype' in value && 'data' in value
  );
}
