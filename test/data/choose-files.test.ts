import { describe, expect, it } from 'vitest';
import { chooseDataFiles } from '../../lib/data/choose-files.js';

describe('the data files of a folder or repository', () => {
  it('are of one kind, parquet first, and no metadata', () => {
    expect(chooseDataFiles(['a.json', 'b.jsonl', 'README.md'])).toEqual(['b.jsonl']);
    expect(chooseDataFiles(['z.parquet', 'a.Parquet', 'b.jsonl'])).toEqual(['a.Parquet', 'z.parquet']);
    expect(chooseDataFiles(['data/a.json', 'dataset_info.json', 'config.json'])).toEqual(['data/a.json']);
    expect(chooseDataFiles(['x/state.json'])).toEqual([]);
  });

  it.each([
    '.ipynb_checkpoints/data-checkpoint.jsonl',
    '.cache/huggingface/download/data.jsonl',
    '.Trash-1000/files/data.jsonl',
    '.git/x.jsonl',
    '._data.jsonl',
    'part/._data.jsonl',
    '__MACOSX/data.jsonl',
    'part/__MACOSX/x/data.jsonl',
    '__MACOSX/._data.parquet',
  ])('leave out %s', (hidden) => {
    expect(chooseDataFiles(['data.jsonl', hidden])).toEqual(['data.jsonl']);
    expect(chooseDataFiles([hidden])).toEqual([]);
  });

  it('may begin with underscores', () => {
    expect(chooseDataFiles(['__data.jsonl', '_part/data.jsonl'])).toEqual([
      '__data.jsonl',
      '_part/data.jsonl',
    ]);
  });

  // What datasets 2.21.0 gives for "train".
  it.each([
    [
      ['restrained.jsonl', 'other.jsonl'],
      ['other.jsonl', 'restrained.jsonl'],
    ],
    [['train.jsonl', 'restrained.jsonl'], ['train.jsonl']],
    [['constraint/a.jsonl', 'latest/b.jsonl', 'devices.jsonl'], ['constraint/a.jsonl', 'devices.jsonl', 'latest/b.jsonl']], // prettier-ignore
    [['training.jsonl', 'valid.jsonl', 'trainers.jsonl'], ['training.jsonl']],
    [['train_0.jsonl', 'train1.jsonl', 'my train.jsonl', 'test_0.jsonl'], ['my train.jsonl', 'train1.jsonl', 'train_0.jsonl']], // prettier-ignore
    [['a-train-b.jsonl', 'a-dev-b.jsonl'], ['a-train-b.jsonl']],
    [
      ['train/1.jsonl', 'train/eval_1.jsonl', 'test/1.jsonl'],
      ['train/1.jsonl', 'train/eval_1.jsonl'],
    ],
    [['x/train-clean/1.jsonl', 'x/dev-clean/1.jsonl'], ['x/train-clean/1.jsonl']],
    [['dev/train/1.jsonl', 'dev/test/1.jsonl'], ['dev/train/1.jsonl']],
    [['data/train-00000-of-00002-1a2b.parquet', 'data/train-00001-of-00002-3c4d.parquet', 'data/test-00000-of-00001-5e6f.parquet'],
     ['data/train-00000-of-00002-1a2b.parquet', 'data/train-00001-of-00002-3c4d.parquet']], // prettier-ignore
    [['data/train-00000-of-00001.parquet', 'data/train_noisy-00000-of-00001.parquet'], ['data/train-00000-of-00001.parquet']], // prettier-ignore
  ])('of %j are %j', (names, train) => {
    expect(chooseDataFiles(names)).toEqual(train);
  });

  it.each([
    [['test.jsonl', 'items.jsonl'], ['items.jsonl']],
    [['test.jsonl'], ['test.jsonl']],
    [['data/all-00000-of-00001.parquet'], ['data/all-00000-of-00001.parquet']],
    [['test/a.jsonl', 'train.jsonl'], ['train.jsonl']],
  ])('of no "train" split: %j', (names, chosen) => {
    expect(chooseDataFiles(names)).toEqual(chosen);
  });

  it('of several splits, none "train", are not mixed', () => {
    expect(() => chooseDataFiles(['test.jsonl', 'dev.jsonl'])).toThrow(
      'its files are of the splits "test" and "validation", none is of "train": give the files of one split.',
    );
  });

  it('of two uploads are all read', () => {
    const names = [
      'data/train-00000-of-00001.parquet',
      'part2/train-00000-of-00002.parquet',
      'part2/train-00001-of-00002.parquet',
    ];
    expect(chooseDataFiles(names)).toEqual(names);
    const twice = ['data/train-00000-of-00001-aa.parquet', 'data/train-00000-of-00001-bb.parquet'];
    expect(chooseDataFiles(twice)).toEqual(twice);
  });

  it.each([
    [
      ['data/train-00000-of-00003.parquet', 'data/train-00002-of-00003.parquet'],
      'data/train-00001-of-00003 is missing: 2 of 3 parts',
    ],
    [['train-00000-of-00002-abc.jsonl'], 'train-00001-of-00002 is missing: 1 of 2 parts are there'],
    [['a/train-00000-of-00002.jsonl', 'b/train-00001-of-00002.jsonl'], 'a/train-00001-of-00002 is missing'],
    [['train-00001-of-00002.jsonl'], 'train-00000-of-00002 is missing'],
    [['part-1-of-3.jsonl', 'part-3-of-3.jsonl'], 'part-2-of-3 is missing'],
    [['train-00000-of-99999.jsonl'], 'train-00001-of-99999 is missing: 1 of 99999 parts are there'],
  ])('in parts must all be there: %j', (names, message) => {
    expect(() => chooseDataFiles(names)).toThrow(message);
  });

  it('in parts may be counted from one', () => {
    const names = ['part-1-of-2.jsonl', 'part-2-of-2.jsonl'];
    expect(chooseDataFiles(names)).toEqual(names);
  });
});
