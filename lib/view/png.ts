import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 8;
const PALETTE_COLOR = 3;

/**
 * A PNG picture of one byte a pixel (PNG specification, colour type 3).
 *
 * @param pixels row after row from the top left, each an index into the palette
 * @param palette red, green, blue of up to 256 colours
 * @throws Error when the pixels do not fill the picture or name a colour the palette lacks
 */
export function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  palette: Uint8Array,
): Uint8Array {
  if (width < 1 || height < 1 || pixels.length !== width * height) {
    throw new TypeError(`a picture of ${width} x ${height} cannot be made of ${pixels.length} pixels`);
  }
  if (pixels.some((index) => index * 3 >= palette.length)) {
    throw new TypeError(`a pixel is outside the palette of ${palette.length / 3} colours`);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([BIT_DEPTH, PALETTE_COLOR], 8);
  const scanlines = Buffer.alloc((width + 1) * height);
  for (let row = 0; row < height; row++) {
    scanlines.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(scanlines, { level: 9 })),
    chunk('IEND', new Uint8Array()),
  ]);
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(content.length + 12);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, content.length + 8)), content.length + 8);
  return bytes;
}
