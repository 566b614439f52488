/** What parquet's pages may be compressed with, beside Snappy, which hyparquet reads itself. No page grows beyond what it claims. */
import zlib from 'node:zlib';
import type { Compressors } from 'hyparquet';
import { decompressLz4, decompressLz4Raw, decompressZstd } from 'hyparquet-compressors';

/** Node.js 22.15 and later have it; it is faster, and refuses pages that hold less or more than they claim. */
const { zstdDecompressSync } = zlib as {
  zstdDecompressSync?: (bytes: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;
};

/** Bytes that one byte can become: a block of 4 makes 128 KiB (RFC 8878, 3.1.1.2); a byte of a match's length stands for 255. */
const ZSTD_MOST = 2 ** 15;
const LZ4_MOST = 255;

export const compressors: Compressors = {
  GZIP: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
  BROTLI: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
  ZSTD: (bytes, maxOutputLength) =>
    zstdDecompressSync?.(bytes, { maxOutputLength }) ??
    decompressZstd(bytes, new Uint8Array(possible(maxOutputLength, bytes, ZSTD_MOST))),
  LZ4: (bytes, length) => decompressLz4(bytes, possible(length, bytes, LZ4_MOST)),
  LZ4_RAW: (bytes, length) => decompressLz4Raw(bytes, possible(length, bytes, LZ4_MOST)),
};

/** @throws Error when the bytes cannot become so many; memory for them would be taken first */
function possible(length: number, bytes: Uint8Array, most: number): number {
  if (length <= bytes.length * most) return length;
  throw new Error(`a page claims that ${bytes.length} bytes become ${length}`);
}
