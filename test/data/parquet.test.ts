import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { ColumnMetaData } from 'hyparquet';
import type { ColumnDecoder } from 'hyparquet/src/types.js';
import { describe, expect, it } from 'vitest';
import type { DatasetItem } from '../../lib/data/item.js';
import { readItems } from '../../lib/data/items.js';
import { compressors } from '../../lib/data/parquet-compressors.js';
import { hybridReader } from '../../lib/data/parquet-hybrid.js';
import { pageReader } from '../../lib/data/parquet-pages.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Written by make.py beside them, all with the same items. */
const FIXTURES = fileURLToPath(new URL('../fixtures/datasets/', import.meta.url));
const PAGES = ['pages.parquet', 'pages-v2.parquet', 'plain.parquet', 'delta.parquet'];
/** By polars and pyarrow. */
const COMPRESSED = ['polars.parquet', 'polars-lz4.parquet', 'zstd.parquet', 'lz4-v2.parquet'];

async function read(file: string): Promise<DatasetItem[]> {
  const items: DatasetItem[] = [];
  for await (const item of readItems(file, { codebooks: 2, codebookSize: 16 })) items.push(item);
  return items;
}

describe('a parquet file', () => {
  it.each(PAGES)('%s, whose lists go on from page to page', async (name) => {
    expect(await read(join(FIXTURES, name))).toEqual(await read(join(FIXTURES, 'lists.parquet')));
  });

  it.each(COMPRESSED)('%s, compressed with zstd or lz4', async (name) => {
    expect(await read(join(FIXTURES, name))).toEqual(await read(join(FIXTURES, 'lists.parquet')));
  });

  it("compressed with lz4 by writers of the older codec number, without Hadoop's lengths", async () => {
    const bytes = readFileSync(join(FIXTURES, 'polars-lz4.parquet'));
    // ColumnMetaData: codec (LZ4_RAW = 7, LZ4 = 5, zigzag) and the type of the field after it.
    const old = Buffer.from(bytes.toString('latin1').replaceAll('\x15\x0e\x16', '\x15\x0a\x16'), 'latin1');
    expect(old.equals(bytes)).toBe(false);
    const file = join(temporaryFolder(), 'old.parquet');
    writeFileSync(file, old);
    expect(await read(file)).toEqual(await read(join(FIXTURES, 'lists.parquet')));
  });

  it.each([
    ['', ': the file is empty (0 bytes)'],
    ['PAR1PAR1', ' cannot be read as parquet: it has 8 bytes, too few for any.'],
  ])('of nothing is refused: %j', async (content, message) => {
    const file = join(temporaryFolder(), 'data.parquet');
    writeFileSync(file, content);
    await expect(read(file)).rejects.toThrow(`${file}${message}`);
  });

  it.each([
    [
      'null-code.parquet',
      'item 2: src_encodec: Codebook 1 holds null in frame 3; codes are whole numbers from 0 to 15.',
    ],
    [
      'null-list.parquet',
      'item 1: src_encodec must be 2 lists of codes, as src_encodec or as src_encodec_0 to src_encodec_1.',
    ],
  ])('%s is refused', async (name, message) => {
    await expect(read(join(FIXTURES, name))).rejects.toThrow(message);
  });

  it('is refused with a text that is not UTF-8', async () => {
    await expect(read(join(FIXTURES, 'latin1.parquet'))).rejects.toThrow(
      'latin1.parquet cannot be read as parquet: column "instruction" holds a text that is not UTF-8 (in Latin-1 it begins "Plus élevé.").',
    );
  });

  it('whose schema has damaged counts does not go round and round', async () => {
    const bytes = readFileSync(join(FIXTURES, 'pages-v2.parquet'));
    // A group of -1 columns.
    bytes[1339] = 1;
    const file = join(temporaryFolder(), 'data.parquet');
    writeFileSync(file, bytes);
    await expect(read(file)).rejects.toThrow(`${file} cannot be read as parquet: `);
  });

  it('is refused where a few bytes stand for a list without end', async () => {
    await expect(read(join(FIXTURES, 'endless.parquet'))).rejects.toThrow(
      /endless\.parquet cannot be read as parquet: a row of column "src_encodec_0" has more than 4194304 values\.$/,
    );
  });

  it.each(['lists.parquet', ...PAGES, ...COMPRESSED])(
    '%s is read, or refused by name, with any damage',
    async (name) => {
      const whole = readFileSync(join(FIXTURES, name));
      const file = join(temporaryFolder(), 'data.parquet');
      const damage = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (changes) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(file, bytes);
          await read(file).catch((error: Error) => expect(error.message).toMatch(/data\.parquet/));
        }),
        { numRuns: 150 },
      );
    },
  );
});

describe('a page', () => {
  it('that claims more bytes than memory is for is refused before any is taken', async () => {
    // PageHeader in thrift's compact protocol: a data page of 2^30 bytes, compressed to 2, with one plain value.
    const header = [0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 8, 0x15, 4, 0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0]; // prettier-ignore
    const bytes = Uint8Array.of(...header, 0, 0);
    const file = { byteLength: bytes.length, slice: async (start: number, end?: number) => bytes.slice(start, end).buffer }; // prettier-ignore
    const chunk = { data_page_offset: 0n, total_compressed_size: BigInt(bytes.length), num_values: 1n };
    const decoder = { pathInSchema: ['x'], codec: 'ZSTD' };
    const memory = () => expect.unreachable();
    const next = pageReader(file, chunk as ColumnMetaData, decoder as ColumnDecoder, memory);
    await expect(next()).rejects.toThrow('a page of column "x" claims 1073741824 bytes');
  });

  /** A zstd frame of `count` blocks, each a byte 128 Ki times (RFC 8878, 3.1.1). */
  function zstdBomb(count: number): Uint8Array {
    const bytes = new Uint8Array(6 + 4 * count);
    bytes.set([0x28, 0xb5, 0x2f, 0xfd, 0, 0x50]);
    for (let block = 0; block < count; block++) {
      const start = ((2 ** 17) << 3) | (1 << 1) | Number(block === count - 1);
      bytes.set([start & 255, (start >> 8) & 255, start >> 16, 7], 6 + 4 * block);
    }
    return bytes;
  }

  it('of zstd becomes what it claims, and no more', () => {
    const size = 2 ** 17;
    expect(Uint8Array.from(compressors.ZSTD!(zstdBomb(1), size))).toEqual(new Uint8Array(size).fill(7));
    const before = process.memoryUsage().arrayBuffers;
    // 8 GiB in 256 kB.
    const taken = attempt(() => compressors.ZSTD!(zstdBomb(65_536), size));
    expect(taken).toBeLessThanOrEqual(size);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
  });

  it.each(['LZ4', 'LZ4_RAW'] as const)('of %s becomes what it claims, and no more', (codec) => {
    // One byte, and a match of it of 25 MB.
    const bomb = new Uint8Array(100_000).fill(255);
    bomb.set([0x1f, 7, 1, 0]);
    bomb[bomb.length - 1] = 0;
    expect(attempt(() => compressors[codec]!(bomb, 1000))).toBeLessThanOrEqual(1000);
    expect(() => compressors[codec]!(new Uint8Array(100), 2 ** 29)).toThrow(
      'a page claims that 100 bytes become 536870912',
    );
  });

  function attempt(unpack: () => Uint8Array): number {
    try {
      return unpack().length;
    } catch {
      return 0;
    }
  }
});

describe('the hybrid of runs and packed bits', () => {
  /** `[count]` groups of eight values that differ, or `[count]` times the first of them. */
  const run = (width: number) =>
    fc.record({
      isPacked: fc.boolean(),
      count: fc.integer({ min: 1, max: 70 }),
      values: fc.infiniteStream(fc.nat(2 ** width - 1)),
    });
  const stream = fc
    .integer({ min: 1, max: 20 })
    .chain((width) => fc.record({ width: fc.constant(width), runs: fc.array(run(width), { maxLength: 5 }) }));

  function encode(width: number, runs: { isPacked: boolean; count: number; values: Iterator<number> }[]) {
    const bytes: number[] = [];
    const written: number[] = [];
    for (const { isPacked, count, values } of runs) {
      const length = isPacked ? 8 * count : count;
      const header = 2 * count + Number(isPacked);
      if (header >= 128) bytes.push((header & 127) | 128, header >> 7);
      else bytes.push(header);
      const first = values.next().value as number;
      const own = Array.from({ length }, (_, i) =>
        isPacked && i > 0 ? (values.next().value as number) : first,
      );
      const bits = (isPacked ? own : [first]).flatMap((value) =>
        Array.from({ length: width }, (_, bit) => (value >> bit) & 1),
      );
      for (let i = 0; i < bits.length; i += 8)
        bytes.push(bits.slice(i, i + 8).reduce((sum, bit, at) => sum + bit * 2 ** at, 0));
      written.push(...own);
    }
    return { bytes: Uint8Array.from(bytes), written };
  }

  const take = (next: () => number, count: number) => Array.from({ length: count }, next);

  it('gives the values back', () => {
    fc.assert(
      fc.property(stream, ({ width, runs }) => {
        const { bytes, written } = encode(width, runs);
        expect(take(hybridReader(bytes, width, written.length), written.length)).toEqual(written);
      }),
    );
  });

  it('may hold more packed values than are read, but no longer run', () => {
    expect(take(hybridReader(Uint8Array.of(0b11, 0b10110001), 1, 3), 3)).toEqual([1, 0, 0]);
    expect(() => hybridReader(Uint8Array.of(8, 1), 1, 3)()).toThrow('a run of 4 values is in a page of 3');
    const tooMany = hybridReader(Uint8Array.of(4, 1, 4, 1), 1, 3);
    expect(take(tooMany, 2)).toEqual([1, 1]);
    expect(tooMany).toThrow('a run of 2 values is in a page of 3');
  });

  it('needs no bytes for values without bits, and all of them for others', () => {
    expect(take(hybridReader(Uint8Array.of(), 0, 3), 3)).toEqual([0, 0, 0]);
    const next = hybridReader(Uint8Array.of(2, 1), 1, 3);
    expect(next()).toBe(1);
    expect(next).toThrow(RangeError);
  });
});
