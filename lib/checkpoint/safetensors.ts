import { dirname } from 'node:path';
import { elementCount } from '../engine/graph.js';
import type { DeferredTensor, HostTensor } from '../engine/host-tensor.js';
import { writeFileAtomic } from './atomic.js';
import { requireSpace } from './disk-space.js';
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from './float16.js';
import { ITEM_BYTES, LENGTH_BYTES, parseHeader, parseHeaderLength } from './safetensors-header.js';
import type { FileDtype, TensorEntry } from './safetensors-header.js';
import { readFully } from './files.js';
import { openGivenFile } from './given-file.js';

/**
 * Reads a safetensors file; float16 and bfloat16 are widened to float32. One tensor's bytes at a time are in memory
 * beside the result.
 * @throws one sentence with file and tensor when the file breaks the format's rules.
 */
export async function readSafetensors(path: string): Promise<Map<string, HostTensor>> {
  return withFile(path, async (read, size) => {
    const { bufferStart, entries } = await readHeader(read, size, path);
    const tensors = new Map<string, HostTensor>();
    for (let first = 0; first < entries.length; first += READS_AT_ONCE) {
      const some = entries.slice(first, first + READS_AT_ONCE);
      const bytes = await Promise.all(some.map(({ begin, end }) => read(bufferStart + begin, end - begin)));
      some.forEach((entry, index) => tensors.set(entry.name, decode(entry, bytes[index])));
    }
    return tensors;
  });
}

/** As `readSafetensors`, but reads a tensor's data when it is asked for; the file must stay as it is until then. */
export async function openSafetensors(path: string): Promise<Map<string, DeferredTensor>> {
  const { bufferStart, entries } = await withFile(path, (read, size) => readHeader(read, size, path));
  const deferred = (entry: TensorEntry): DeferredTensor => ({
    shape: entry.shape,
    dtype: entry.dtype === 'I64' ? 'int64' : 'float32',
    read: () =>
      withFile(path, async (read) => {
        const bytes = await read(bufferStart + entry.begin, entry.end - entry.begin);
        return decode(entry, bytes).data;
      }),
  });
  return new Map(entries.map((entry) => [entry.name, deferred(entry)]));
}

/** Beside each other, the system copies some while room is made for others. */
const READS_AT_ONCE = 4;

type Read = (position: number, length: number) => Promise<Uint8Array>;

/** Opens a file, gives out a way to read from it and its size, and closes it. */
async function withFile<T>(path: string, use: (read: Read, size: number) => Promise<T>): Promise<T> {
  const { handle, size } = await openGivenFile(path);
  try {
    return await use((position, length) => readFully(handle, position, length, path), size);
  } finally {
    await handle.close();
  }
}

/** Where the tensors begin, and where among them each lies. */
async function readHeader(
  read: Read,
  size: number,
  path: string,
): Promise<{ bufferStart: number; entries: TensorEntry[] }> {
  const headerBytes = parseHeaderLength(await read(0, Math.min(size, LENGTH_BYTES)), size, path);
  const bufferStart = LENGTH_BYTES + headerBytes;
  const entries = parseHeader(await read(LENGTH_BYTES, headerBytes), size - bufferStart, path);
  return { bufferStart, entries };
}

/** As `readSafetensors`, from the whole file's bytes. `name` stands for the file in messages. */
export function parseSafetensors(bytes: Uint8Array, name: string): Map<string, HostTensor> {
  const bufferStart = LENGTH_BYTES + parseHeaderLength(bytes, bytes.length, name);
  const entries = parseHeader(bytes.subarray(LENGTH_BYTES, bufferStart), bytes.length - bufferStart, name);
  // slice copies, so that the typed arrays over it are aligned and the file's bytes can be freed.
  return new Map(
    entries.map((entry) => [
      entry.name,
      decode(
        entry,
        Uint8Array.prototype.slice.call(bytes, bufferStart + entry.begin, bufferStart + entry.end),
      ),
    ]),
  );
}

/**
 * Writes a safetensors file atomically: integers first, then by name, the order of the format's own writer. Deferred tensors are
 * read one after the other.
 * @param options.dtype how floats are stored (default float32); float16 is rounded to nearest, ties to even.
 * @param options.metadata strings kept in the header's `__metadata__`.
 * @returns the file's SHA-256 in hexadecimal
 * @throws when a shape does not match its data, a finite value is beyond float16, or the disk has no room for the file.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor | DeferredTensor>,
  options: { dtype?: 'float32' | 'float16'; metadata?: Record<string, string> } = {},
): Promise<string> {
  const names = [...tensors.keys()].sort((a, b) => {
    const itemBytes = (name: string): number => (tensors.get(name)!.dtype === 'int64' ? 8 : 4);
    return itemBytes(b) - itemBytes(a) || (a < b ? -1 : 1);
  });
  const floatDtype = options.dtype === 'float16' ? 'F16' : 'F32';
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (options.metadata) header['__metadata__'] = options.metadata;
  let offset = 0;
  for (const name of names) {
    const tensor = tensors.get(name)!;
    const { shape, dtype } = tensor;
    const items = 'data' in tensor ? tensor.data.length : elementCount(shape);
    checkWritable(name, shape, items, path);
    const fileDtype: FileDtype = dtype === 'int64' ? 'I64' : floatDtype;
    const end = offset + items * ITEM_BYTES[fileDtype];
    header[name] = { dtype: fileDtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  await requireSpace(dirname(path), offset);
  return writeFileAtomic(path, fileChunks(path, header, names, tensors, floatDtype));
}

async function* fileChunks(
  path: string,
  header: object,
  names: string[],
  tensors: ReadonlyMap<string, HostTensor | DeferredTensor>,
  floatDtype: FileDtype,
): AsyncGenerator<Uint8Array> {
  const json = Buffer.from(JSON.stringify(header));
  const padding = Buffer.alloc((8 - (json.length % 8)) % 8, ' ');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  yield Buffer.concat([length, json, padding]);
  for (const name of names) {
    const tensor = tensors.get(name)!;
    const data = 'data' in tensor ? tensor.data : await tensor.read();
    checkWritable(name, tensor.shape, data.length, path);
    const stored = data instanceof Float32Array && floatDtype === 'F16' ? toFloat16(data, name, path) : data;
    yield new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  }
}

function toFloat16(data: Float32Array, name: string, path: string): Uint16Array {
  // By indices, as in finite.ts.
  for (let i = 0; i < data.length; i++) {
    if (Math.abs(data[i]) >= 65520 && Number.isFinite(data[i]))
      throw new Error(
        `${path}: tensor "${name}" holds ${data[i]}, beyond float16's 65504; write float32 instead.`,
      );
  }
  return float32ToFloat16(data);
}

function checkWritable(name: string, shape: number[], items: number, path: string): void {
  const where = `${path}: tensor ${JSON.stringify(name)}`;
  if (name === '__metadata__') throw new Error(`${where} cannot be written: the format reserves this name.`);
  if (Buffer.from(name).toString() !== name)
    throw new Error(`${where} has a name that is not valid Unicode.`);
  const expected = elementCount(shape);
  if (expected !== items) {
    throw new Error(`${where} of shape [${shape.join(', ')}] needs ${expected} values, but holds ${items}.`);
  }
}

/** `bytes` must start at the beginning of its own buffer; tensors are little-endian, as are the platforms of onnxruntime-node. */
function decode({ dtype, shape }: TensorEntry, bytes: Uint8Array): HostTensor {
  const { buffer } = bytes;
  switch (dtype) {
    case 'I64':
      return { shape, dtype: 'int64', data: new BigInt64Array(buffer) };
    case 'F32':
      return { shape, dtype: 'float32', data: new Float32Array(buffer) };
    case 'F16':
      return { shape, dtype: 'float32', data: float16ToFloat32(new Uint16Array(buffer)) };
    case 'BF16':
      return { shape, dtype: 'float32', data: bfloat16ToFloat32(new Uint16Array(buffer)) };
  }
}
