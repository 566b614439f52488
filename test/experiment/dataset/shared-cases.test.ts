/** Datasets that were once read wrong in silence, kept beside the repository with what they should give. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DatasetItem } from '../../../lib/codec/codec.js';
import { readItems } from '../../../lib/experiment/dataset/items.js';
import { sharedPath } from '../../support/shared.js';

const CASES = sharedPath('cases') ?? '';

async function read(...path: string[]): Promise<DatasetItem[]> {
  const items: DatasetItem[] = [];
  for await (const item of readItems(join(CASES, ...path), { codebooks: 8, codebookSize: 256 }))
    items.push(item);
  return items;
}

describe.skipIf(CASES === '')('a dataset', () => {
  it.each(['ipynb', 'hfcache', 'appledouble', 'macosx'])('with hidden copies: %s', async (folder) => {
    expect(await read('data-hidden-folders', folder)).toHaveLength(6);
  });

  const nulls = CASES === '' ? [] : readdirSync(join(CASES, 'data-null-codes-become-0'));
  it.each(nulls.filter((name) => name !== 'note.md'))('with a code that is no number: %s', async (name) => {
    await expect(read('data-null-codes-become-0', name)).rejects.toThrow(
      /: item 2: (src|tgt)_encodec: Codebook 3 holds .* in frame 4; codes are whole numbers from 0 to 255\.$/,
    );
  });

  it('with a list a frame', async () => {
    expect(await read('data-transposed', 'base.jsonl')).not.toHaveLength(0);
    await expect(read('data-transposed', 'transposed.jsonl')).rejects.toThrow(
      'lists of 8 codes, as if each were a frame',
    );
  });

  it.each([
    ['u2028', 'Make it\u2028louder.'],
    ['u2029', 'Make it\u0085louder.\u2029 x'],
  ])('with %s in a text', async (name, instruction) => {
    const items = await read('data-u2028-node24', `${name}.jsonl`);
    expect(items).toHaveLength(6);
    expect(items[2].instruction).toBe(instruction);
  });

  it.each(['polars-default.parquet', 'comp-lz4.parquet'])('%s', async (name) => {
    expect((await read('parquet-zstd', name)).length).toBeGreaterThan(0);
  });

  it('of no bytes', async () => {
    expect(readFileSync(join(CASES, 'git-lfs-pointers', 'zero.parquet'))).toHaveLength(0);
    await expect(read('git-lfs-pointers', 'zero.parquet')).rejects.toThrow('is empty (0 bytes)');
  });
});
