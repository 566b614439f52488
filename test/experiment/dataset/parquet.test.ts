import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatasetItem } from '../../../lib/codec/codec.js';
import { readItems } from '../../../lib/experiment/dataset/items.js';
import { hybridReader } from '../../../lib/experiment/dataset/parquet-hybrid.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** Written by make.py beside them, all with the same items. */
const FIXTURES = fileURLToPath(new URL('../../fixtures/datasets/', import.meta.url));
const PAGES = ['pages.parquet', 'pages-v2.parquet', 'plain.parquet', 'delta.parquet'];

async function read(file: string): Promise<DatasetItem[]> {
  const items: DatasetItem[] = [];
  for await (const item of readItems(file, { codebooks: 2, codebookSize: 16 })) items.push(item);
  return items;
}

describe('a parquet file', () => {
  it.each(PAGES)('%s, whose lists go on from page to page', async (name) => {
    expect(await read(join(FIXTURES, name))).toEqual(await read(join(FIXTURES, 'lists.parquet')));
  });

  it('is refused where a few bytes stand for a list without end', async () => {
    await expect(read(join(FIXTURES, 'endless.parquet'))).rejects.toThrow(
      /endless\.parquet cannot be read as parquet: a row of column "src_encodec_0" has more than 4194304 values\.$/,
    );
  });

  it.each(['lists.parquet', ...PAGES])('%s is read, or refused by name, with any damage', async (name) => {
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
  });
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
