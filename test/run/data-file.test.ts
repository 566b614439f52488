import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { resolveModelDirectory } from '../../lib/package-root.js';
import { loadPolicy } from '../../lib/policy/policy.js';
import {
  packPairs,
  parsePrompt,
  parseTokens,
  readDataFile,
  writeDataFile,
  type PreferenceRow,
} from '../../lib/run/data-file.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const rows: PreferenceRow[] = [
  {
    instruction: 'Make it <b>louder</b>, "much" louder.',
    source: [12, 7, 0],
    chosen: [2, 4],
    rejected: [1, 3, 5],
    chosenReward: 5,
    rejectedReward: 0,
    averageReward: 2.25,
    details: { chosen_even_totals: 2, rejected_even_totals: 0 },
  },
  {
    instruction: 'Slower',
    source: [255],
    chosen: [8],
    rejected: [9],
    chosenReward: 4,
    rejectedReward: 1,
    averageReward: 3,
    details: { chosen_even_totals: 1, rejected_even_totals: 0 },
  },
];

let directory: string;
beforeEach(() => {
  directory = temporaryFolder();
});

describe('data_iter_k.json', () => {
  it("has the research code's keys, one array each", async () => {
    await writeDataFile(directory, 2, rows);
    const file: unknown = JSON.parse(await readFile(join(directory, 'data_iter_2.json'), 'utf8'));
    expect(file).toEqual({
      prompt: [
        '<s>Make it <b>louder</b>, "much" louder.</s>v_tok_12v_tok_7v_tok_0</s>',
        '<s>Slower</s>v_tok_255</s>',
      ],
      chosen: ['v_tok_2v_tok_4', 'v_tok_8'],
      rejected: ['v_tok_1v_tok_3v_tok_5', 'v_tok_9'],
      chosen_rewards: [5, 4],
      rejected_rewards: [0, 1],
      average_rewards: [2.25, 3],
      chosen_even_totals: [2, 1],
      rejected_even_totals: [0, 0],
    });
  });

  it('reads back what was written', async () => {
    await writeDataFile(directory, 0, rows);
    expect(await readDataFile(join(directory, 'data_iter_0.json'))).toEqual(rows);
  });

  it('keeps all keys when no prompt gave a pair', async () => {
    await writeDataFile(directory, 0, []);
    expect(await readDataFile(join(directory, 'data_iter_0.json'))).toEqual([]);
  });

  it.each<[string, (rows: object[]) => string]>([
    ['an array of rows', (rows) => JSON.stringify(rows)],
    ['JSON Lines', (rows) => rows.map((row) => `${JSON.stringify(row)}\r\n\n`).join('')],
  ])('reads %s', async (_, textOf) => {
    const path = join(directory, 'pairs.jsonl');
    const pair = { prompt: '<s>a</s>v_tok_1</s>', chosen: 'v_tok_1', rejected: 'v_tok_2' };
    const row = { average_rewards: 1.5, rejected_rewards: 1, ...pair };
    await writeFile(path, textOf([2, 3].map((chosen_rewards) => ({ ...row, chosen_rewards, gain: 7 }))));
    const common = { instruction: 'a', source: [1], chosen: [1], rejected: [2], rejectedReward: 1 };
    expect(await readDataFile(path)).toEqual(
      [2, 3].map((chosenReward) => ({ ...common, chosenReward, averageReward: 1.5, details: { gain: 7 } })),
    );
    await writeFile(path, textOf([{ ...row, chosen_rewards: 2 }]));
    expect(await readDataFile(path)).toEqual([
      { ...common, chosenReward: 2, averageReward: 1.5, details: {} },
    ]);
    await writeFile(path, textOf([{ ...row, chosen_rewards: 2 }, row]));
    await expect(readDataFile(path)).rejects.toThrow(`${path}: chosen_rewards[1]: invalid input: expected`);
  });

  it('names the newest file of a run, or of a folder, that is given in its place', async () => {
    const output = join(directory, 'output', '0601-1200');
    await mkdir(output, { recursive: true });
    await expect(readDataFile(output)).rejects.toThrow(`${output} is a folder; a file is expected there.`);
    for (const iteration of [2, 10]) await writeDataFile(output, iteration, rows);
    const newest = join(output, 'data_iter_10.json');
    for (const given of ['0601-1200', 'output/0601-1200', 'model_output/0601-1200/iter_2']) {
      const path = join(directory, given);
      await expect(readDataFile(path)).rejects.toThrow(
        `${path} is no file of pairs: the newest there is ${newest}`,
      );
    }
    const path = relative('', output);
    await expect(readDataFile(path)).rejects.toThrow(`the newest there is ${relative('', newest)}`);
  });

  it('names the line that is not JSON', async () => {
    const path = join(directory, 'pairs.jsonl');
    await writeFile(path, '{"prompt": "a"}\n\n{"prompt": "b"\n');
    await expect(readDataFile(path)).rejects.toThrow(`${path}: line 3 is not valid JSON: `);
  });

  it.each([
    ['a missing column', { prompt: [], chosen: [] }, 'rejected'],
    [
      'columns of different length',
      {
        prompt: ['<s>a</s>v_tok_1</s>'],
        chosen: ['v_tok_1'],
        rejected: [],
        chosen_rewards: [1],
        rejected_rewards: [1],
        average_rewards: [1],
      },
      'the columns differ in length: prompt has 1 rows, rejected has 0',
    ],
    [
      'rows that are no objects',
      [['<s>a</s>v_tok_1</s>', 'v_tok_1', 'v_tok_2']],
      'expected a list for each of prompt, chosen, rejected, chosen_rewards, rejected_rewards, average_rewards, or rows',
    ],
    [
      'text that is no token string',
      {
        prompt: ['<s>a</s>v_tok_1</s>'],
        chosen: ['hello'],
        rejected: ['v_tok_1'],
        chosen_rewards: [1],
        rejected_rewards: [1],
        average_rewards: [1],
      },
      '"hello" is not a token string',
    ],
  ])('refuses %s, naming the file', async (_, content, message) => {
    const path = join(directory, 'broken.json');
    await writeFile(path, JSON.stringify(content));
    await expect(readDataFile(path)).rejects.toThrow(path);
    await expect(readDataFile(path)).rejects.toThrow(message);
  });
});

it('reads tokens with or without spaces between them', () => {
  expect(parseTokens('v_tok_1 v_tok_20 v_tok_3')).toEqual([1, 20, 3]);
  expect(parseTokens('v_tok_1v_tok_20v_tok_3')).toEqual([1, 20, 3]);
  expect(parseTokens('')).toEqual([]);
});

describe('refuses, naming the row,', () => {
  const file = async (columns: object) => {
    const path = join(directory, 'pairs.json');
    const good = {
      prompt: ['<s>a</s>v_tok_1</s>', '<s>b</s>v_tok_2</s>'],
      chosen: ['v_tok_1', 'v_tok_2'],
      rejected: ['v_tok_3', 'v_tok_4'],
      chosen_rewards: [1, 1],
      rejected_rewards: [0, 0],
      average_rewards: [0.5, 0.5],
    };
    await writeFile(path, JSON.stringify({ ...good, ...columns }));
    return path;
  };

  it.each([
    [{ chosen: ['v_tok_1', 'v_tok_007'] }, 'chosen[1]: "v_tok_007" is not a token string'],
    [{ chosen: ['v_tok_1', 'v_tok_0x10'] }, 'chosen[1]: "v_tok_0x10" is not a token string'],
    [
      { rejected: ['v_tok_1', 'v_tok_nullv_tok_1'] },
      'rejected[1]: "v_tok_nullv_tok_1" is not a token string',
    ],
    [{ rejected: ['v_tok_1', null] }, 'rejected[1]: invalid input: expected string, received null'],
    [{ chosen_lengths: [1, null] }, 'chosen_lengths[1]: invalid input: expected number, received null'],
    [{ chosen_rewards: [1, null] }, 'chosen_rewards[1]: invalid input: expected number, received null'],
    [
      { prompt: ['<s>a</s>v_tok_1</s>', '<s>b</s>v_tok_-2</s>'] },
      'prompt[1]: "v_tok_-2" is not a token string',
    ],
    [{ prompt: ['<s>a</s>v_tok_1</s>', '<s>\ud800</s>v_tok_2</s>'] }, 'prompt[1]: the instruction holds half a character'], // prettier-ignore
  ])('%j', async (columns, message) => {
    await expect(readDataFile(await file(columns))).rejects.toThrow(message);
  });

  it('codes that the policy lacks', async () => {
    const pairs = await readDataFile(await file({ chosen: ['v_tok_1', 'v_tok_256'] }));
    const policy = await loadPolicy(join(resolveModelDirectory('default'), 'policy'));
    expect(() => packPairs(policy, pairs)).toThrow('pair 1: code 256 of codebook 0 is outside');
  });
});

it('packs pairs with the ids and the reward of each side', async () => {
  const policy = await loadPolicy(join(resolveModelDirectory('default'), 'policy'));
  const idsOf = (codes: number[]) => codes.map((code) => policy.tokenizer.codeId(0, code));
  const packed = packPairs(policy, rows);
  expect(packed.map(({ chosen, rejected }) => [chosen.slice(1, -1), rejected.slice(1, -1)])).toEqual(
    rows.map(({ chosen, rejected }) => [idsOf(chosen), idsOf(rejected)]),
  );
  expect(packed.map(({ rewards }) => rewards)).toEqual([
    { chosen: 5, rejected: 0 },
    { chosen: 4, rejected: 1 },
  ]);
});

it('refuses a prompt without source tokens in their place', () => {
  expect(() => parsePrompt('Make it faster.')).toThrow('is not a prompt like');
});
