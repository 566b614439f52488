import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parseWav, readWav } from '../../lib/audio/wav.js';
import { readJsonFile } from '../../lib/checkpoint/json-file.js';
import { openSafetensors, readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { readTensorFiles } from '../../lib/checkpoint/tensor-files.js';
import { readTextFile } from '../../lib/checkpoint/text-file.js';
import { readTorchFile } from '../../lib/checkpoint/torch-file.js';
import { readItems } from '../../lib/data/items.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { openCodec } from '../../lib/codec/open.js';
import { resolveModelPart } from '../../lib/package-root.js';
import { loadPolicy } from '../../lib/policy/policy.js';
import { readTokenizerJson } from '../../lib/policy/tokenizer-files.js';
import { loadDnsmos } from '../../lib/scoring/dnsmos/dnsmos.js';
import { loadNisqa } from '../../lib/scoring/nisqa/nisqa.js';
import { openTranscriber } from '../../lib/scoring/transcribe.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeToneWhisper } from '../support/tone-whisper.js';
import { device } from '../support/device.js';

const POINTER = `version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 123456789
`;
const PAGES = [
  '<!DOCTYPE html>\n<html class="">\n<head>',
  '\ufeff\n  <!doctype HTML><html>',
  '<!-- saved from url -->\n<html lang="en">',
  '<head><title>Log in</title>',
];

const readAll = async (file: string) => {
  for await (const _ of readItems(file, { codebooks: 8, codebookSize: 1024 }));
};

/** What reads a file, by the name it must have; all but the last part is a folder, which is what is given. */
const READERS: [name: string, read: (path: string) => Promise<unknown>][] = [
  ['a.wav', readWav],
  ['model.safetensors', readSafetensors],
  ['model.safetensors', openSafetensors],
  ['model.safetensors', (path) => readTensorFiles(dirname(path))],
  ['pytorch_model.bin', readTorchFile],
  ['pytorch_model.bin', (path) => readTensorFiles(dirname(path))],
  ['model.safetensors.index.json', (path) => readTensorFiles(dirname(path))],
  ['config.json', readJsonFile],
  ['config.json', (path) => loadPretrained(dirname(path))],
  ['config.json', (path) => openCodec(dirname(path), device)],
  ['tokenizer.json', (path) => readTokenizerJson(dirname(path))],
  ['vocab.json', (path) => readTokenizerJson(dirname(path))],
  ['lines.txt', readTextFile],
  ['data.parquet', readAll],
  ['data.json', readAll],
  ['data.jsonl', readAll],
  ['nisqa.tar', loadNisqa],
  ['sig_bak_ovr.onnx', (path) => loadDnsmos(dirname(path))],
];

function write(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

describe.each(READERS)('%s', (name, read) => {
  it('that is a Git LFS pointer is called one', async () => {
    const path = write(name, POINTER);
    await expect(read(path)).rejects.toThrow(
      `${path} is a Git LFS pointer, not the file: run git lfs pull in its folder.`,
    );
  });

  it('that is a web page is called one', async () => {
    for (const page of PAGES) {
      const path = write(name, page);
      await expect(read(path)).rejects.toThrow(`${path} is a web page (HTML), not the file: download`);
    }
  });

  it('that is empty is named in a sentence', async () => {
    const path = write(name, '');
    const attempt = await read(path).catch((error: Error) => error);
    const sentences: Record<string, string> = {
      'data.json': 'not a JSON array',
      default: name.endsWith('.json') ? 'is not valid JSON' : 'the file is empty (0 bytes)',
    };
    // An empty text is a text, and an empty file of lines has none.
    if (name === 'lines.txt' || name === 'data.jsonl') expect(attempt).not.toBeInstanceOf(Error);
    else {
      expect((attempt as Error).message).toContain(path);
      expect((attempt as Error).message).toContain(sentences[name] ?? sentences.default);
    }
  });
});

it('a Whisper model whose weights are pointers is called so', async () => {
  const folder = writeToneWhisper();
  writeFileSync(join(folder, 'onnx/decoder_model_merged.onnx'), POINTER);
  await expect(openTranscriber({ model: folder })).rejects.toThrow(
    `${join(folder, 'onnx/decoder_model_merged.onnx')} is a Git LFS pointer, not the file`,
  );
});

it.each(['special_tokens_map.json', 'merges.txt'])(
  "a tokenizer's %s that would come along with a checkpoint is called so",
  async (name) => {
    const folder = temporaryFolder();
    cpSync(resolveModelPart('default', 'policy'), folder, { recursive: true });
    writeFileSync(join(folder, name), POINTER);
    await expect(loadPolicy(folder)).rejects.toThrow(
      `${join(folder, name)} is a Git LFS pointer, not the file`,
    );
  },
);

it('a file that only looks alike is none', async () => {
  expect(await readTextFile(write('a.txt', 'version https://git-lfs is not this\n'))).toContain('not this');
  expect(await readTextFile(write('a.txt', 'Say <html> aloud.\n'))).toBe('Say <html> aloud.\n');
  expect(() => parseWav(Buffer.from('<htmlish'), 'a.wav')).toThrow('a.wav: not a WAV file');
});

it('a folder in the place of a file is called one', async () => {
  const folder = temporaryFolder();
  for (const read of [readWav, readTorchFile, readJsonFile, readTextFile])
    await expect(read(folder)).rejects.toThrow(`${folder} is a folder; a file is expected there.`);
  await expect(readSafetensors(folder)).rejects.toThrow(`${folder} is not a file.`);
});

describe.each([
  ['NISQA', 'NISQA_WEIGHTS', loadNisqa],
  ['DNSMOS', 'DNSMOS_WEIGHTS', loadDnsmos],
] as const)('weights of %s', (metric, variable, load) => {
  const kind = metric === 'NISQA' ? 'folder' : 'file';
  const wrongKind = () => (metric === 'NISQA' ? temporaryFolder() : write('a.onnx', 'x'));

  it(`in a ${kind}, where none belongs, are refused with the variable and the path`, async () => {
    const path = wrongKind();
    vi.stubEnv(variable, path);
    await expect(load()).rejects.toThrow(
      `${metric} weights not found: the environment variable ${variable} is ${path}, which is a ${kind}; expected `,
    );
    vi.unstubAllEnvs();
    await expect(load(path)).rejects.toThrow(
      `${metric} weights not found: the path given is ${path}, which is a ${kind}; expected `,
    );
  });

  it('of another content are refused with the variable and the path', async () => {
    const path = write(metric === 'NISQA' ? 'weights' : 'sig_bak_ovr.onnx', 'x'.repeat(100));
    vi.stubEnv(variable, metric === 'NISQA' ? path : dirname(path));
    await expect(load()).rejects.toThrow(`${path} (${variable} names it): `);
    vi.unstubAllEnvs();
  });
});

const cases = sharedPath('cases/git-lfs-pointers');
describe.skipIf(!cases)('pointers and an empty file of other programs', () => {
  it.each([
    ['git-lfs.wav', readWav],
    ['lfs.parquet', readAll],
    ['model.safetensors', readSafetensors],
    ['pytorch_model.bin', readTorchFile],
  ])('%s', async (name, read) => {
    await expect(read(join(cases!, name))).rejects.toThrow(
      'is a Git LFS pointer, not the file: run git lfs pull',
    );
  });

  it('zero.parquet', async () => {
    await expect(readAll(join(cases!, 'zero.parquet'))).rejects.toThrow('zero.parquet: the file is empty');
  });
});

it.skipIf(!existsSync('/dev/zero'))('a link to a device that never ends is not read', async () => {
  const file = join(temporaryFolder(), 'config.json');
  symlinkSync('/dev/zero', file);
  const message = `${file} is a device; a file is expected there.`;
  await expect(readJsonFile(file)).rejects.toThrow(message);
  await expect(readTorchFile(file)).rejects.toThrow(message);
});
