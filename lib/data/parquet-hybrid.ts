import type { DataReader } from 'hyparquet';
import { readVarInt } from 'hyparquet/src/thrift.js';

/**
 * Reads parquet's levels and dictionary indices one at a time, so that a run takes no memory, however long it says it is. Their layout is
 * the "RLE/bit-packing hybrid" of parquet-format's Encodings.md.
 *
 * @param width of a value in bits
 * @param values how many there are at most
 * @returns a function that gives the next value and throws when a run is longer than the values left
 */
export function hybridReader(bytes: Uint8Array, width: number, values: number): () => number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader: DataReader = { view, offset: 0 };
  const mask = 2 ** width - 1;
  let unread = values;
  let leftOfRun = 0;
  let isPacked = false;
  let bit = 0;
  let value = 0;

  const valueAt = (start: number): number => {
    let bits = 0;
    for (let read = 0; read < width;) {
      const shift = (start + read) & 7;
      bits |= (view.getUint8((start + read) >>> 3) >>> shift) << read;
      read += 8 - shift;
    }
    return bits & mask;
  };

  const startRun = (): void => {
    const header = readVarInt(reader);
    const count = header >>> 1;
    isPacked = (header & 1) === 1;
    if (!isPacked && count > unread) throw new Error(`a run of ${count} values is in a page of ${values}`);
    bit = 8 * reader.offset;
    if (!isPacked) value = valueAt(bit);
    leftOfRun = isPacked ? 8 * count : count;
    reader.offset += isPacked ? width * count : Math.ceil(width / 8);
  };

  return () => {
    // Values of no bits are zero, and some writers leave their runs out.
    if (width === 0) return 0;
    while (leftOfRun === 0) startRun();
    if (isPacked) {
      value = valueAt(bit);
      bit += width;
    }
    leftOfRun -= 1;
    unread -= 1;
    return value;
  };
}
