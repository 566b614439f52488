/** Reads TensorBoard's event files by the wire format of protobuf alone, without what wrote them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { maskedCrc32c } from '../../lib/tensorboard/crc32c.js';

/** Fields of a message by number, in order: whole numbers as bigint, fixed ones and messages as bytes. */
type Fields = Map<number, (bigint | Buffer)[]>;

export interface ReadPoint {
  tag: string;
  step: number;
  scalar?: number;
  text?: string;
  audio?: { sampleRateHz: number; channels: number; frames: number; wav: Buffer; type: string };
}

/** The contents of a file's records, whose checksums must be right. */
export function readRecords(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const content = file.subarray(at + 12, at + 12 + length);
    const checksums = [file.readUInt32LE(at + 8), file.readUInt32LE(at + 12 + length)];
    if (checksums[0] !== maskedCrc32c(file.subarray(at, at + 8))) throw new Error('checksum of a length');
    if (checksums[1] !== maskedCrc32c(content)) throw new Error('checksum of a content');
    records.push(content);
    at += 16 + length;
  }
  return records;
}

export function fieldsOf(message: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = Number(varint());
    const take = (bytes: number) => message.subarray(at, (at += bytes));
    const value =
      (key & 7) === 0
        ? varint()
        : (key & 7) === 1
          ? take(8)
          : (key & 7) === 5
            ? take(4)
            : take(Number(varint()));
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

const bytesAt = (fields: Fields, number: number) => fields.get(number)?.[0] as Buffer | undefined;
const numberAt = (fields: Fields, number: number) => Number(fields.get(number)?.[0] ?? 0);

/** The events of the only event file in a folder, in their order. */
function readEvents(folder: string): Fields[] {
  const [name, ...others] = readdirSync(folder);
  if (others.length > 0) throw new Error(`${folder} has ${others.length + 1} files`);
  return readRecords(readFileSync(join(folder, name))).map(fieldsOf);
}

/** When each event of the only event file in a folder was, in seconds since 1970. */
export function readWallSeconds(folder: string): number[] {
  return readEvents(folder).map((event) => bytesAt(event, 1)!.readDoubleLE());
}

/** The points of the only event file in a folder, in their order. */
export function readPoints(folder: string): ReadPoint[] {
  return readEvents(folder).flatMap((event) => {
    const summary = bytesAt(event, 5);
    if (!summary) return [];
    const values = (fieldsOf(summary).get(1) as Buffer[]).map(fieldsOf);
    return values.map((value) => ({ step: numberAt(event, 2), ...pointOf(value) }));
  });
}

function pointOf(value: Fields): Omit<ReadPoint, 'step'> {
  const tag = bytesAt(value, 1)!.toString();
  const [scalar, audio, tensor] = [2, 6, 8].map((number) => bytesAt(value, number));
  if (scalar) return { tag, scalar: scalar.readFloatLE() };
  if (tensor) return { tag, text: bytesAt(fieldsOf(tensor), 8)!.toString() };
  const sound = fieldsOf(audio!);
  return {
    tag,
    audio: {
      sampleRateHz: bytesAt(sound, 1)!.readFloatLE(),
      channels: numberAt(sound, 2),
      frames: numberAt(sound, 3),
      wav: Buffer.from(bytesAt(sound, 4)!),
      type: bytesAt(sound, 5)!.toString(),
    },
  };
}
