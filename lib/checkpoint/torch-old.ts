/**
 * The format of `torch.save` before PyTorch 1.6, and since then with `_use_new_zipfile_serialization=False`: five pickles (a magic
 * number, the format's version, the machine, the value, the keys of its storages), and then the storages' numbers. Source: PyTorch,
 * torch/serialization.py, `_legacy_save`.
 */
import { parsePickleAt } from './pickle.js';
import { parseStorageId, showKey, torchGlobals, unpickleTensors } from './torch-tensors.js';

/** The pickles of 0x1950a86a20f9469cfc6c and of 1001. */
const START = Buffer.from('80028a0a6cfc9c46f9206aa850192e80024de9032e', 'hex');

export function isOldTorchFile(bytes: Uint8Array): boolean {
  return START.equals(bytes.subarray(0, START.length));
}

/**
 * The value in a file of the old format; see `parseTorchFile`.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file and what in it cannot be read
 */
export function parseOldTorchFile(bytes: Uint8Array, name: string): unknown {
  const itemBytes = new Map<string, number>();
  // The storages come after the value, so the value is read twice: for where it ends, and with them at hand.
  const options = {
    name,
    globals: torchGlobals(() => null),
    loadPersistent: (id: unknown) => {
      const { type, key } = parseStorageId(id, name);
      itemBytes.set(key, type.itemBytes);
      return null;
    },
  };
  const machine = parsePickleAt(bytes, START.length, options);
  if (!(machine.value instanceof Map) || machine.value.get('little_endian') !== true)
    throw new Error(`${name}: written on a big-endian machine, which is not supported`);
  const value = parsePickleAt(bytes, machine.end, options);
  const keys = parsePickleAt(bytes, value.end, options);
  const storages = findStorages(bytes, keys, itemBytes, name);
  return unpickleTensors(bytes.subarray(machine.end, value.end), (key) => storages.get(key), name);
}

/** The bytes of each storage: they follow one another, each after its number of items. */
function findStorages(
  bytes: Uint8Array,
  keys: { value: unknown; end: number },
  itemBytes: ReadonlyMap<string, number>,
  name: string,
): Map<string, Uint8Array> {
  if (!Array.isArray(keys.value)) throw new Error(`${name}: it does not list its tensor data`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  let at = keys.end;
  for (const key of keys.value as unknown[]) {
    const size = itemBytes.get(key as string);
    if (size === undefined) throw new Error(`${name}: it lists tensor data ${showKey(key)} of no tensor`);
    const start = at + 8;
    const there = Math.max(0, bytes.length - start);
    const needed = start > bytes.length ? 8 : Number(view.getBigInt64(at, true)) * size;
    if (needed < 0 || needed > there)
      throw new Error(
        `${name}: cut short: its tensor data "${String(key)}" should hold ${needed} bytes, ${there} are there`,
      );
    storages.set(key as string, bytes.subarray(start, start + needed));
    at = start + needed;
  }
  return storages;
}
