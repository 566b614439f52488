import { crc32 } from 'node:zlib';

type StorageType = 'FloatStorage' | 'HalfStorage' | 'BFloat16Storage';

/** A tensor to be written: float32, or the bit patterns of a 16-bit type. */
export class Tensor {
  constructor(
    readonly shape: number[],
    readonly data: Float32Array | Uint16Array,
    readonly strides = shape.map((_, axis) =>
      shape.slice(axis + 1).reduce((product, size) => product * size, 1),
    ),
    readonly storageType: StorageType = 'FloatStorage',
    /** Where in `data`, which may hold more, the tensor begins. */
    readonly offset = 0,
  ) {}
}

/** A file as `torch.save` writes it: numbers, strings, booleans, null, arrays, Maps and Tensors. */
export function torchFile(
  value: unknown,
  prefix = 'archive',
  checksum = crc32 as (bytes: Uint8Array) => number,
): Uint8Array {
  const storages: Uint8Array[] = [];
  const pickle = Buffer.concat([Buffer.from([0x80, 2]), pickled(value, storages), Buffer.from('.')]);
  return storedZip(
    [
      [`${prefix}/data.pkl`, pickle],
      [`${prefix}/byteorder`, Buffer.from('little')],
      ...storages.map((bytes, key): [string, Uint8Array] => [`${prefix}/data/${key}`, bytes]),
    ],
    0,
    checksum,
  );
}

/** As {@link torchFile}, in the format before PyTorch 1.6. */
export function oldTorchFile(
  value: unknown,
  machine: Record<string, unknown> = { little_endian: true },
): Uint8Array {
  const storages: Uint8Array[] = [];
  const itemBytes: number[] = [];
  const pickle = (content: Buffer) => Buffer.concat([Buffer.from([0x80, 2]), content, Buffer.from('.')]);
  const body = pickled(value, storages, itemBytes);
  return Uint8Array.from(
    Buffer.concat([
      Buffer.from('80028a0a6cfc9c46f9206aa850192e80024de9032e', 'hex'),
      pickle(pickled(new Map(Object.entries(machine)), [])),
      pickle(body),
      pickle(pickled([...storages.keys()].map(String), [])),
      ...storages.flatMap((bytes, key) => {
        const count = Buffer.alloc(8);
        count.writeBigInt64LE(BigInt(bytes.length / itemBytes[key]));
        return [count, bytes];
      }),
    ]),
  );
}

function pickled(value: unknown, storages: Uint8Array[], itemBytes: number[] = []): Buffer {
  const of = (part: unknown) => pickled(part, storages, itemBytes);
  if (value === null) return Buffer.from('N');
  if (typeof value === 'boolean') return Buffer.from([value ? 0x88 : 0x89]);
  if (typeof value === 'string')
    return Buffer.concat([opcode('X', uint32(Buffer.byteLength(value))), Buffer.from(value)]);
  if (typeof value === 'number')
    return Number.isInteger(value) ? opcode('J', uint32(value)) : opcode('G', float64(value));
  if (Array.isArray(value)) return Buffer.concat([Buffer.from(']('), ...value.map(of), Buffer.from('e')]);
  if (value instanceof Map)
    return Buffer.concat([Buffer.from('}('), ...[...value].flat().map(of), Buffer.from('u')]);
  if (!(value instanceof Tensor)) throw new Error('cannot pickle this');
  const key = storages.push(new Uint8Array(value.data.buffer)) - 1;
  itemBytes.push(value.data.BYTES_PER_ELEMENT);
  const tuple = (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
  const storage = tuple(
    of('storage'),
    Buffer.from(`ctorch\n${value.storageType}\n`),
    of(String(key)),
    of('cpu'),
    of(value.data.length),
  );
  const strides = tuple(...value.strides.map(of));
  const args = [
    Buffer.concat([storage, Buffer.from('Q')]),
    of(value.offset),
    tuple(...value.shape.map(of)),
    strides,
    of(false),
  ];
  return Buffer.concat([
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'),
    tuple(...args, Buffer.from('ccollections\nOrderedDict\n)R')),
    Buffer.from('R'),
  ]);
}

/** A zip archive whose entries are not compressed. */
export function storedZip(
  files: [string, Uint8Array][],
  method = 0,
  checksum: (bytes: Uint8Array) => number = crc32,
): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const common = Buffer.alloc(26);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(checksum(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(name.length, 22);
    const central = Buffer.alloc(14);
    central.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\0\0', 'latin1'), common, central, Buffer.from(name));
    const entry = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, Buffer.from(name), bytes]);
    parts.push(entry);
    offset += entry.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Uint8Array.from(Buffer.concat([...parts, central, end]));
}

function opcode(code: string, operand: Buffer): Buffer {
  return Buffer.concat([Buffer.from(code), operand]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}
