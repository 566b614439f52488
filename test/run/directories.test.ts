import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRunDirectories, findRunDirectories } from '../../lib/run/directories.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const noon = new Date(2024, 5, 1, 12, 0, 30);
let root: string;

beforeEach(() => {
  root = temporaryFolder();
});

describe('createRunDirectories', () => {
  it('names both directories by month, day, hour and minute', async () => {
    const directories = await createRunDirectories(root, noon);
    expect(directories).toEqual({
      name: '0601-1200',
      modelDirectory: join(root, 'model_output', '0601-1200'),
      outputDirectory: join(root, 'output', '0601-1200'),
    });
    expect(await readdir(directories.modelDirectory)).toEqual([]);
    expect(await readdir(directories.outputDirectory)).toEqual([]);
  });

  it('numbers further runs of the same minute, also when they start at once', async () => {
    const runs = await Promise.all(Array.from({ length: 5 }, () => createRunDirectories(root, noon)));
    expect(new Set(runs.map(({ modelDirectory }) => modelDirectory)).size).toBe(5);
    expect(new Set(runs.map(({ outputDirectory }) => outputDirectory)).size).toBe(5);
    const later = await createRunDirectories(root, noon);
    expect(later.name).toMatch(/^0601-1200-\d$/);
  });

  it('uses a name only when it is free in both places', async () => {
    await mkdir(join(root, 'output', '0601-1200'), { recursive: true });
    const { name } = await createRunDirectories(root, noon);
    expect(name).toBe('0601-1200-2');
    expect(await readdir(join(root, 'model_output'))).toEqual(['0601-1200-2']);
  });

  it('makes none for a run that is stopped before it begins', async () => {
    const reason = new Error('stopped');
    await expect(createRunDirectories(root, noon, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(await readdir(root)).toEqual([]);
  });

  it('names the folder that cannot be written', async () => {
    await writeFile(join(root, 'output'), 'a file in the way');
    await expect(createRunDirectories(root, noon)).rejects.toThrow(
      `cannot write to ${join(root, 'output')}: a part of the path is a file; choose another (on the command line: --output).`,
    );
    expect(await readdir(join(root, 'model_output'))).toEqual([]);
  });
});

it('finds both directories of a run from either', async () => {
  const directories = await createRunDirectories(root, noon);
  expect(findRunDirectories(directories.outputDirectory)).toEqual(directories);
  expect(findRunDirectories(directories.modelDirectory + '/')).toEqual(directories);
});
