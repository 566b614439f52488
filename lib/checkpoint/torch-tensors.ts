/** What PyTorch's pickles mean: tensors, as views of numbers that lie outside of the pickle. */
import { bfloat16ToFloat32, float16ToFloat32 } from './float16.js';
import { parsePickle, type PickleGlobal } from './pickle.js';
import type { HostTensor } from '../engine/host-tensor.js';

/** One storage of a PyTorch file, widened to the types this project computes in. */
type Storage = Pick<HostTensor, 'dtype' | 'data'>;

/**
 * The value of a pickle whose tensors lie outside of it: dicts as Map, lists and tuples as arrays, tensors as views of their storage;
 * float16 and bfloat16 widened to float32.
 *
 * @param name stands for the file in error messages
 * @param bytesOf the bytes of a storage by its key
 * @throws Error naming the file and what in it cannot be read
 */
export function unpickleTensors(
  pickle: Uint8Array,
  bytesOf: (key: string) => Uint8Array | undefined,
  name: string,
): unknown {
  const storages = new Map<string, Storage>();
  const loaded = new Set<unknown>();
  const loadStorage = (id: unknown): Storage => {
    const { type, key } = parseStorageId(id, name);
    const known = storages.get(key);
    if (known) return known;
    const bytes = bytesOf(key);
    if (!bytes) throw new Error(`${name}: its tensor data "data/${key}" is missing`);
    const storage = type.read(bytes, `${name}: its tensor data "data/${key}"`);
    storages.set(key, storage);
    loaded.add(storage);
    return storage;
  };
  const globals = torchGlobals((args) => rebuildTensor(args, loaded, name));
  return parsePickle(pickle, { name, globals, loadPersistent: loadStorage });
}

/** A key as messages show it. A few bytes can make lists of lists whose text has more characters than fit into memory. */
export function showKey(key: unknown): string {
  return typeof key === 'object' ? 'under a list or dict' : `"${String(key)}"`;
}

/** All that a PyTorch file may mention, by "module name". */
export function torchGlobals(
  rebuildTensor: (args: readonly unknown[]) => unknown,
): ReadonlyMap<string, PickleGlobal> {
  return new Map<string, PickleGlobal>([
    ...STORAGE_TYPES,
    ['collections OrderedDict', { call: () => new Map() }],
    ['torch._utils _rebuild_tensor_v2', { call: rebuildTensor }],
  ]);
}

interface StorageType extends PickleGlobal {
  itemBytes: number;
  read: (bytes: Uint8Array, name: string) => Storage;
}

const STORAGE_TYPES: ReadonlyMap<string, StorageType> = new Map([
  [
    'torch FloatStorage',
    {
      itemBytes: 4,
      read: (bytes, name) => ({ dtype: 'float32', data: new Float32Array(...aligned(bytes, 4, name)) }),
    },
  ],
  [
    'torch LongStorage',
    {
      itemBytes: 8,
      read: (bytes, name) => ({ dtype: 'int64', data: new BigInt64Array(...aligned(bytes, 8, name)) }),
    },
  ],
  ['torch HalfStorage', { itemBytes: 2, read: (bytes, name) => widened(float16ToFloat32, bytes, name) }],
  ['torch BFloat16Storage', { itemBytes: 2, read: (bytes, name) => widened(bfloat16ToFloat32, bytes, name) }],
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

/** PyTorch's persistent ids are ("storage", type, key, device, item count), with None after them in old files. */
export function parseStorageId(id: unknown, name: string): { type: StorageType; key: string } {
  const [kind, global, key, , , view = null] = Array.isArray(id) ? (id as unknown[]) : [];
  const type = [...STORAGE_TYPES.values()].find((known) => known === global);
  if (kind !== 'storage' || !type || typeof key !== 'string' || view !== null)
    throw new Error(`${name}: its pickle refers to data in an unknown way`);
  return { type, key };
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
