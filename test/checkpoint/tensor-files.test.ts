import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { float32ToFloat16 } from '../../lib/checkpoint/float16.js';
import { chooseModelFiles } from '../../lib/checkpoint/model-files.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { chooseWeightFiles, readTensorFiles } from '../../lib/checkpoint/tensor-files.js';
import { SHARED_EMBEDDING } from '../../lib/policy/bart/weights.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { TINY_CONFIG_JSON, tinyConfig, tinyWeights } from '../support/tiny-bart.js';
import { Tensor, torchFile } from '../support/torch-file.js';

const WEIGHTS = tinyWeights(tinyConfig());
const BITS = new Uint16Array([0x3f80, 0xc000, 0x0000, 0x4049]);

const bin = (names: Iterable<string>) =>
  torchFile(
    new Map(
      Array.from(names, (name) => [name, new Tensor(WEIGHTS.get(name)!.shape, WEIGHTS.get(name)!.data)]),
    ),
  );

function folderOf(files: Record<string, Uint8Array | string>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

test('a whole pytorch_model.bin, with the copies of the tied embedding that PyTorch saves', async () => {
  const tensors = new Map(
    [...WEIGHTS].map(([name, { shape, data }]) => [name, new Tensor(shape, data)] as const),
  );
  const shared = tensors.get(SHARED_EMBEDDING)!;
  tensors.set('lm_head.weight', shared).set('model.decoder.embed_tokens.weight', shared);
  const folder = folderOf({
    'config.json': JSON.stringify(TINY_CONFIG_JSON),
    'pytorch_model.bin': torchFile(tensors),
  });
  expect((await loadPretrained(folder)).weights).toEqual(WEIGHTS);
});

test('a pytorch_model.bin in shards', async () => {
  const names = [...WEIGHTS.keys()];
  const shardOf = (name: string) => `pytorch_model-0000${1 + (names.indexOf(name) % 2)}-of-00002.bin`;
  const weight_map = Object.fromEntries(names.map((name) => [name, shardOf(name)]));
  const shards = [...new Set(Object.values(weight_map))];
  const folder = folderOf({
    'config.json': JSON.stringify(TINY_CONFIG_JSON),
    'pytorch_model.bin.index.json': JSON.stringify({ weight_map }),
    ...Object.fromEntries(
      shards.map((shard) => [shard, bin(names.filter((name) => shardOf(name) === shard))]),
    ),
  });
  expect((await loadPretrained(folder)).weights).toEqual(WEIGHTS);
  rmSync(join(folder, shards[1]));
  await expect(loadPretrained(folder)).rejects.toThrow(`${shards[1]} does not exist`);
});

test('shards that hold other tensors than their index says are refused', async () => {
  const shard = (...names: string[]) =>
    torchFile(new Map(names.map((name) => [name, new Tensor([1], Float32Array.of(1))])));
  const weight_map = { a: 'pytorch_model-1.bin', b: 'pytorch_model-1.bin', c: 'pytorch_model-2.bin' };
  const read = (first: Uint8Array, second: Uint8Array) =>
    readTensorFiles(
      folderOf({
        'pytorch_model.bin.index.json': JSON.stringify({ weight_map }),
        'pytorch_model-1.bin': first,
        'pytorch_model-2.bin': second,
      }),
    );
  expect([...(await read(shard('a', 'b'), shard('c'))).keys()]).toEqual(['a', 'b', 'c']);
  await expect(read(shard('a'), shard('c'))).rejects.toThrow('-1.bin lacks tensor "b", which');
  await expect(read(shard('a', 'b'), shard('c', 'a'))).rejects.toThrow('-2.bin holds tensor "a", which');
});

test('float16 and bfloat16 are widened', async () => {
  const halves = float32ToFloat16(Float32Array.of(1, -2, 0, 0.333));
  const folder = folderOf({
    'pytorch_model.bin': torchFile(
      new Map([
        ['half', new Tensor([4], halves, [1], 'HalfStorage')],
        ['bfloat', new Tensor([2, 2], BITS, [2, 1], 'BFloat16Storage')],
      ]),
    ),
  });
  const tensors = await readTensorFiles(folder);
  expect(tensors.get('half')!.data).toEqual(Float32Array.of(1, -2, 0, 0.3330078125));
  expect(tensors.get('bfloat')).toEqual({
    shape: [2, 2],
    dtype: 'float32',
    data: Float32Array.of(1, -2, 0, 3.140625),
  });
});

test('safetensors are preferred, and only the files that are read are asked for', () => {
  const names = ['pytorch_model.bin', 'model.safetensors', 'tf_model.h5', 'model-00001-of-00002.safetensors'];
  expect(chooseWeightFiles(names)).toEqual(['model.safetensors']);
  expect(chooseWeightFiles(['pytorch_model.bin', 'flax_model.msgpack'])).toEqual(['pytorch_model.bin']);
  const shards = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'];
  expect(
    chooseWeightFiles(['x/pytorch_model-1.bin', ...shards, 'pytorch_model.bin.index.json', 'README.md']),
  ).toEqual(['pytorch_model.bin.index.json', ...shards]);
  expect(chooseWeightFiles(['README.md'])).toEqual([]);
});

test('of a model, the files that are read', () => {
  const names = [
    'README.md',
    'config.json',
    'merges.txt',
    'pytorch_model.bin',
    'training_args.bin',
    'vocab.json',
  ];
  expect(chooseModelFiles(names)).toEqual(['config.json', 'merges.txt', 'vocab.json', 'pytorch_model.bin']);
  expect(chooseModelFiles(['pytorch_model.bin'])).toEqual([]);
  expect(chooseModelFiles(['config.json', 'vocab.json'])).toEqual([]);
});
