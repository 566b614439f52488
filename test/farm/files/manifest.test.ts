import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import * as atomic from '../../../lib/checkpoint/atomic.js';
import { describeFolder, folderManifestSchema } from '../../../lib/farm/files/manifest.js';
import { resolveModelDirectory } from '../../../lib/package-root.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { modelFolder } from './model-folder.js';

vi.mock('../../../lib/checkpoint/atomic.js', { spy: true });

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const namesOf = async (folder: string) => (await describeFolder(folder)).files.map(({ name }) => name);

describe('describeFolder', () => {
  it.each([
    ['policy', 6],
    ['nar', 6],
    ['codec', 2],
  ])('describes the embedded %s', async (part, count) => {
    const folder = join(resolveModelDirectory('default'), part);
    const manifest = await describeFolder(folder);
    expect(manifest.path).toBe(folder);
    expect(manifest.files).toHaveLength(count);
    for (const { name, bytes, sha256: hash } of manifest.files) {
      expect(hash).toBe(sha256(join(folder, name)));
      expect(bytes).toBe(readFileSync(join(folder, name)).length);
    }
    const lines = manifest.files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).sort();
    expect(manifest.hash).toBe(createHash('sha256').update(lines.join('')).digest('hex'));
    expect(folderManifestSchema.parse(JSON.parse(JSON.stringify(manifest)))).toEqual(manifest);
  });

  it('gives equal folders equal hashes, and others others', async () => {
    const weights = new Uint8Array(1000);
    const [a, b, c] = [modelFolder, modelFolder, modelFolder].map((make) =>
      make({ 'model.safetensors': weights }),
    );
    writeFileSync(join(c, 'config.json'), '{ }');
    writeFileSync(join(b, 'README.md'), 'is not read');
    const [first, second, third] = await Promise.all([a, b, c].map((folder) => describeFolder(folder)));
    expect(second).toEqual({ ...first, path: b });
    expect(third.hash).not.toBe(first.hash);
  });

  it('reads a file once, and again where it has changed', async () => {
    const folder = modelFolder();
    const first = await describeFolder(folder);
    vi.mocked(atomic.hashFile).mockClear();
    expect(await describeFolder(folder)).toEqual(first);
    expect(atomic.hashFile).not.toHaveBeenCalled();
    const weights = join(folder, 'model.safetensors');
    appendFileSync(weights, 'x');
    const longer = await describeFolder(folder);
    expect(longer.hash).not.toBe(first.hash);
    writeFileSync(weights, Buffer.alloc(readFileSync(weights).length));
    utimesSync(weights, 1, 1);
    expect((await describeFolder(folder)).hash).not.toBe(longer.hash);
    expect(atomic.hashFile).toHaveBeenCalledTimes(2);
  });

  it('follows the links of a hub cache', async () => {
    const blobs = modelFolder();
    const snapshot = join(temporaryFolder(), 'snapshot');
    mkdirSync(snapshot);
    for (const name of await namesOf(blobs)) symlinkSync(join(blobs, name), join(snapshot, name));
    expect(await describeFolder(snapshot)).toEqual({ ...(await describeFolder(blobs)), path: snapshot });
  });

  it('takes PyTorch files where there are no others, and every shard that an index names', async () => {
    const torch = temporaryFolder();
    for (const name of ['config.json', 'vocab.json', 'merges.txt', 'pytorch_model.bin', 'optimizer.pt'])
      writeFileSync(join(torch, name), name);
    expect(await namesOf(torch)).toEqual(['config.json', 'merges.txt', 'pytorch_model.bin', 'vocab.json']);
    const shards = temporaryFolder();
    const index = JSON.stringify({
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'rest.safetensors' },
    });
    for (const [name, content] of [
      ['config.json', '{}'],
      ['model.safetensors.index.json', index],
      ['model-00001-of-00002.safetensors', 'a'],
      ['rest.safetensors', 'b'],
    ])
      writeFileSync(join(shards, name), content);
    expect(await namesOf(shards)).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model.safetensors.index.json',
      'rest.safetensors',
    ]);
  });

  it('says what a folder lacks', async () => {
    const folder = temporaryFolder();
    await expect(describeFolder(folder)).rejects.toThrow(`${folder} holds no model: config.json and`);
    await expect(describeFolder(join(folder, 'x'))).rejects.toThrow('x is no folder that can be read.');
    writeFileSync(join(folder, 'a b'), '');
    await expect(describeFolder(folder, ['a b'])).rejects.toThrow('rename it.');
  });
});

const manifest = await describeFolder(join(resolveModelDirectory('default'), 'codec'));

describe('folderManifestSchema', () => {
  const rehash = (manifest: { files: { name: string; sha256: string }[] }) => {
    const lines = manifest.files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).sort();
    return { ...manifest, hash: createHash('sha256').update(lines.join('')).digest('hex') };
  };
  const [config, weights] = manifest.files;
  const withName = (name: string) => rehash({ ...manifest, files: [config, { ...weights, name }] });

  it('takes what describeFolder says', () => {
    expect(folderManifestSchema.safeParse(withName('model-1.safetensors')).success).toBe(true);
  });

  it.each([
    '../x',
    '/etc/passwd',
    'a/b',
    'a\\b',
    '..',
    '.',
    '',
    '.hidden',
    'c:',
    'x\0',
    'a\n',
    'x'.repeat(200),
    'CONFIG.JSON',
  ])('refuses a file of the name %j', (name) => {
    expect(folderManifestSchema.safeParse(withName(name)).success).toBe(false);
  });

  it.each([
    ['a hash that is not of the files', { ...manifest, hash: 'a'.repeat(64) }],
    ['a relative path', { ...manifest, path: 'models' }],
    ['no files', rehash({ ...manifest, files: [] })],
    [
      'very many files',
      rehash({ ...manifest, files: Array.from({ length: 1000 }, (_, i) => ({ ...config, name: `f${i}` })) }),
    ],
    ['a size below 0', { ...manifest, files: [config, { ...weights, bytes: -1 }] }],
  ])('refuses %s', (_, wrong) => {
    expect(folderManifestSchema.safeParse(wrong).success).toBe(false);
  });
});
