import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeDirectoryAtomic, writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const fill = (text: string) => async (folder: string) => {
  mkdirSync(join(folder, 'inner'));
  writeFileSync(join(folder, 'inner', 'file'), text);
};

describe('writeFileAtomic', () => {
  test('writes text, bytes and chunks, makes folders, replaces, leaves nothing beside', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a', 'b', 'file');
    for (const content of [
      'text',
      Buffer.from('bytes'),
      [Buffer.from('ch'), new Uint8Array(0), Buffer.from('unks')],
    ]) {
      await writeFileAtomic(path, content);
      expect(readFileSync(path, 'utf8')).toBe(Array.isArray(content) ? 'chunks' : content.toString());
      expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['file']);
    }
  });

  test('keeps the old content when the new one fails on the way', async () => {
    const path = join(temporaryFolder(), 'file');
    await writeFileAtomic(path, 'old');
    const failing = function* (): Generator<Uint8Array> {
      yield Buffer.from('new');
      throw new Error('no more');
    };
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('no more');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  test('says why a folder cannot be written, and what to do', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(writeFileAtomic(join(file, 'sub', 'x'), '')).rejects.toThrow(
      `cannot write to ${join(file, 'sub')}: a part of the path is a file; choose another with --output.`,
    );
  });
});

describe('writeDirectoryAtomic', () => {
  test('shows the folder only when it is complete', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'iter_0', 'dpo_model');
    await writeDirectoryAtomic(target, async (folder) => {
      await fill('whole')(folder);
      expect(existsSync(target)).toBe(false);
    });
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('whole');
    expect(readdirSync(join(parent, 'iter_0'))).toEqual(['dpo_model']);
  });

  test('leaves nothing behind when filling fails, and keeps what was there', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    const failing = async (folder: string): Promise<void> => {
      await fill('half')(folder);
      throw new Error('no more');
    };
    await expect(writeDirectoryAtomic(target, failing)).rejects.toThrow('no more');
    expect(readdirSync(parent)).toEqual([]);
    await writeDirectoryAtomic(target, fill('old'));
    await expect(writeDirectoryAtomic(target, failing, { replace: true })).rejects.toThrow('no more');
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('old');
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('replaces a folder only when told to', async () => {
    const target = join(temporaryFolder(), 'model');
    mkdirSync(target);
    await writeDirectoryAtomic(target, fill('first'));
    await expect(writeDirectoryAtomic(target, fill('second'))).rejects.toThrow(
      `cannot write to ${target}: it exists and is not empty; choose another with --output.`,
    );
    await writeDirectoryAtomic(target, fill('third'), { replace: true });
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('third');
    expect(readdirSync(join(target, '..'))).toEqual(['model']);
  });

  test('clears away what a killed process left', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    void writeDirectoryAtomic(target, () => new Promise(() => undefined));
    await expect.poll(() => readdirSync(parent)).toHaveLength(1);
    expect(existsSync(target)).toBe(false);
    await writeDirectoryAtomic(target, fill('whole'));
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('says why a folder cannot be made', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(writeDirectoryAtomic(join(file, 'a', 'b'), fill(''))).rejects.toThrow(
      `cannot write to ${join(file, 'a', 'b')}: a part of the path is a file; choose another with --output.`,
    );
    await expect(writeDirectoryAtomic(file, fill(''))).rejects.toThrow(
      `cannot write to ${file}: a part of the path is a file`,
    );
  });
});
