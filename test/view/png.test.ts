import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MAGMA } from '../../lib/view/color-map.js';
import { encodePng } from '../../lib/view/png.js';

/** A PNG's chunks by type; checks the signature and every checksum. */
function readChunks(png: Uint8Array): Map<string, Buffer> {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer>();
  for (let offset = 8; offset < bytes.length;) {
    const length = bytes.readUInt32BE(offset);
    const content = bytes.subarray(offset + 8, offset + 8 + length);
    expect(bytes.readUInt32BE(offset + 8 + length)).toBe(
      bitwiseCrc32(bytes.subarray(offset + 4, offset + 8 + length)),
    );
    chunks.set(bytes.toString('latin1', offset + 4, offset + 8), content);
    offset += length + 12;
  }
  return chunks;
}

function bitwiseCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('encodePng', () => {
  it('holds the pixels it was given', () => {
    const pixels = Uint8Array.of(0, 1, 2, 255, 254, 253);
    const chunks = readChunks(encodePng(pixels, 3, 2, MAGMA));
    expect([...chunks.keys()]).toEqual(['IHDR', 'PLTE', 'IDAT', 'IEND']);
    const header = chunks.get('IHDR')!;
    expect([header.readUInt32BE(0), header.readUInt32BE(4), ...header.subarray(8)]).toEqual([
      3, 2, 8, 3, 0, 0, 0,
    ]);
    expect([...chunks.get('PLTE')!]).toEqual([...MAGMA]);
    expect([...inflateSync(chunks.get('IDAT')!)]).toEqual([0, 0, 1, 2, 0, 255, 254, 253]);
  });

  it('writes the checksum of the specification', () => {
    const png = Buffer.from(encodePng(Uint8Array.of(0), 1, 1, Uint8Array.of(1, 2, 3)));
    expect(png.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082');
  });

  it('refuses pixels that do not fit', () => {
    expect(() => encodePng(new Uint8Array(5), 3, 2, MAGMA)).toThrow('3 x 2 cannot be made of 5 pixels');
    expect(() => encodePng(Uint8Array.of(1), 1, 1, Uint8Array.of(0, 0, 0))).toThrow(
      'outside the palette of 1 colours',
    );
  });
});

describe('MAGMA', () => {
  it("is matplotlib's magma within 3 of 255", () => {
    const reference: Record<number, [number, number, number]> = {
      0: [0, 0, 4],
      40: [41, 17, 90],
      100: [137, 40, 129],
      128: [183, 55, 121],
      200: [253, 152, 105],
      255: [252, 253, 191],
    };
    for (const [index, color] of Object.entries(reference)) {
      color.forEach((value, channel) => {
        expect(Math.abs(MAGMA[Number(index) * 3 + channel] - value)).toBeLessThanOrEqual(3);
      });
    }
  });
});
