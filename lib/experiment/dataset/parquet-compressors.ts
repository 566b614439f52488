/** What parquet's pages may be compressed with, beside Snappy, which hyparquet reads itself. No page grows beyond what it claims. */
import zlib from 'node:zlib';
import type { Compressors } from 'hyparquet';
import { decompressLz4, decompressLz4Raw, decompressZstd } from 'hyparquet-compressors';

/** Node.js 22.15 and later have it; it is faster, and refuses pages that hold less or more than they claim. */
const { zstdDecompressSync } = zlib as {
  zstdDecompressSync?: (bytes: Uint8Array, options: zlib.ZlibOptions) => Uint8Array;
};

export const compressors: Compressors = {
  GZIP: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
  BROTLI: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
  ZSTD: (bytes, maxOutputLength) =>
    zstdDecompressSync?.(bytes, { maxOutputLength }) ??
    decompressZstd(bytes, new Uint8Array(maxOutputLength)),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
};
