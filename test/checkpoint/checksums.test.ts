import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { checkSavedWeights, findDamage, writeChecksums } from '../../lib/checkpoint/checksums.js';
import { writeDirectoryAtomic } from '../../lib/checkpoint/atomic.js';
import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { requireSpace } from '../../lib/checkpoint/disk-space.js';
import { loadPretrained, savePretrained } from '../../lib/policy/pretrained.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { tinyConfig, tinyWeights } from '../support/tiny-bart.js';

async function sealedFolder(): Promise<string> {
  const folder = temporaryFolder();
  const checksums = new Map<string, string>();
  for (const name of ['a.json', 'b.bin'])
    checksums.set(name, await writeFileAtomic(join(folder, name), `content of ${name}`));
  await writeChecksums(folder, checksums);
  return folder;
}

describe('a folder with checksums', () => {
  it('is whole as it was written, in the format of sha256sum', async () => {
    const folder = await sealedFolder();
    expect(await findDamage(folder)).toBeUndefined();
    // printf 'content of a.json' | sha256sum
    expect(readFileSync(join(folder, 'SHA256SUMS'), 'utf8').split('\n')[0]).toBe(
      '2f3941f355e0f3b6fa56cf963944f5b5fa7440873067ea6009d51cb8a5d18e5a  a.json',
    );
  });

  it.each<[string, (folder: string) => void, string]>([
    [
      'a changed byte',
      (folder) => writeFileSync(join(folder, 'a.json'), 'content of A.json'),
      'a.json differs',
    ],
    ['a shorter file', (folder) => truncateSync(join(folder, 'b.bin'), 3), 'b.bin differs'],
    ['a longer file', (folder) => appendFileSync(join(folder, 'b.bin'), ' '), 'b.bin differs'],
    [
      'a missing file',
      (folder) => renameSync(join(folder, 'a.json'), join(folder, 'c')),
      'a.json cannot be read',
    ],
    [
      'a missing manifest',
      (folder) => renameSync(join(folder, 'SHA256SUMS'), join(folder, 'c')),
      'is missing',
    ],
    ['an empty manifest', (folder) => truncateSync(join(folder, 'SHA256SUMS')), 'is empty'],
    [
      'a manifest of something else',
      (folder) => writeFileSync(join(folder, 'SHA256SUMS'), 'x  ../y\n'),
      'SHA256SUMS is damaged',
    ],
    [
      'a manifest that is cut short',
      (folder) => truncateSync(join(folder, 'SHA256SUMS'), statSync(join(folder, 'SHA256SUMS')).size - 20),
      'SHA256SUMS is damaged',
    ],
  ])('is damaged by %s', async (_, damage, message) => {
    const folder = await sealedFolder();
    damage(folder);
    expect(await findDamage(folder)).toContain(message);
  });
});

describe('a checkpoint', () => {
  it('is saved with checksums of all its files', async () => {
    const folder = join(temporaryFolder(), 'model');
    const config = tinyConfig();
    await savePretrained(folder, { architecture: bart, config, weights: tinyWeights(config) });
    expect(await findDamage(folder)).toBeUndefined();
    truncateSync(join(folder, 'config.json'), 1);
    expect(await findDamage(folder)).toContain('config.json differs');
    // What a person may edit is not what was trained.
    await checkSavedWeights(folder);
    const weights = join(folder, 'model.safetensors');
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(weights, bytes);
    await expect(checkSavedWeights(folder)).rejects.toThrow(`${weights} is not as it was saved`);
    renameSync(join(folder, 'SHA256SUMS'), join(folder, 'c'));
    await checkSavedWeights(folder);
  });

  it.each([NaN, Infinity])('with a weight of %s is neither saved nor loaded', async (value) => {
    const folder = join(temporaryFolder(), 'model');
    const config = tinyConfig();
    const weights = tinyWeights(config);
    await savePretrained(folder, { architecture: bart, config, weights });
    const name = 'model.decoder.layers.0.fc1.weight';
    weights.get(name)!.data[3] = value;
    const message = `tensor "${name}" holds ${value} at index 3.`;
    await expect(savePretrained(folder, { architecture: bart, config, weights })).rejects.toThrow(message);
    expect(await findDamage(folder)).toBeUndefined();

    const path = join(folder, 'model.safetensors');
    const bytes = readFileSync(path);
    const header = Number(bytes.readBigUInt64LE());
    const entries = JSON.parse(bytes.toString('utf8', 8, 8 + header)) as Record<
      string,
      { data_offsets: number[] }
    >;
    bytes.writeFloatLE(value, 8 + header + entries[name].data_offsets[0] + 12);
    writeFileSync(path, bytes);
    await expect(loadPretrained(folder)).rejects.toThrow(message);
  });
});

describe.each([
  ['a device', (path: string) => symlinkSync('/dev/zero', path)],
  ['a pipe', (path: string) => void execFileSync('mkfifo', [path])],
])("%s in a stranger's folder", (_, make) => {
  it('is no manifest', async () => {
    const folder = temporaryFolder();
    const manifest = join(folder, 'SHA256SUMS');
    make(manifest);
    expect(await findDamage(folder)).toBe(`${manifest} cannot be read`);
    await expect(checkSavedWeights(folder)).rejects.toThrow(`${manifest} is not a file.`);
  });

  it('has no checksum', async () => {
    const folder = temporaryFolder();
    make(join(folder, 'more.safetensors'));
    writeFileSync(join(folder, 'SHA256SUMS'), `${'0'.repeat(64)}  more.safetensors\n`);
    await expect(checkSavedWeights(folder)).rejects.toThrow(
      `${join(folder, 'more.safetensors')} is not a file.`,
    );
  });

  it('is no weights', async () => {
    const path = join(temporaryFolder(), 'model.safetensors');
    make(path);
    await expect(readSafetensors(path)).rejects.toThrow(`${path} is not a file.`);
  });
});

describe('requireSpace', () => {
  it('is content with what the disk has, also for a folder that does not exist yet', () =>
    requireSpace(join(temporaryFolder(), 'not', 'yet'), 1000));

  it('says how much is missing where', async () => {
    const folder = temporaryFolder();
    const saving = requireSpace(folder, 1e18);
    await expect(saving).rejects.toThrow(
      `the disk is nearly full: saving to ${folder} takes 1000000000017 MB`,
    );
    await expect(saving).rejects.toThrow(
      /MB are free; make room there, or choose another \(on the command line: --output\)\.$/,
    );
    await expect(saving).rejects.toMatchObject({ cause: { code: 'ENOSPC' } });
  });

  it('names a folder that is being written as a person knows it', async () => {
    const folder = join(temporaryFolder(), 'dpo_model');
    const saving = writeDirectoryAtomic(folder, (temporary) => requireSpace(temporary, 1e18));
    await expect(saving).rejects.toThrow(`saving to ${folder} takes`);
  });
});
