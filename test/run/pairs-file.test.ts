import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPairsFile } from '../../lib/run/pairs-file.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** A file of pairs of one prompt: the chosen and the rejected tokens of each. */
function pairsFile(pairs: readonly (readonly [chosen: string, rejected: string])[]): string {
  const file = join(temporaryFolder(), 'mine.json');
  const column = (value: unknown) => pairs.map(() => value);
  const columns = {
    prompt: column('<s>a</s>v_tok_1</s>'),
    chosen: pairs.map(([chosen]) => chosen),
    rejected: pairs.map(([, rejected]) => rejected),
    chosen_rewards: column(2),
    rejected_rewards: column(1),
    average_rewards: column(1.5),
  };
  writeFileSync(file, JSON.stringify(columns));
  return file;
}

describe('readPairsFile', () => {
  it('says nothing of pairs that differ', async () => {
    const file = pairsFile([
      ['v_tok_1', 'v_tok_2'],
      ['v_tok_1', 'v_tok_3'],
      ['v_tok_3', ''],
    ]);
    expect((await readPairsFile(file)).notices).toEqual([]);
  });

  it('counts pairs that teach something else than they seem to, and names the first of each kind', async () => {
    const file = pairsFile([
      ['v_tok_1', 'v_tok_2'],
      ['v_tok_3', 'v_tok_3'],
      ['v_tok_1', 'v_tok_2'],
      ['', 'v_tok_2'],
      ['v_tok_3', 'v_tok_3'],
    ]);
    const { rows, notices } = await readPairsFile(file);
    expect(rows).toHaveLength(5);
    expect(notices).toEqual([
      `${file}: in 2 of 5 pairs (the first is pair 1) chosen and rejected are the same completion, so that nothing is preferred`,
      `${file}: in 1 of 5 pairs (the first is pair 3) chosen is empty: the policy learns to write nothing`,
      `${file}: in 2 of 5 pairs (the first is pair 2) the pair stands before in the file: it counts as often as it is there`,
    ]);
  });

  it('says which pairs contradict each other', async () => {
    const file = pairsFile([
      ['v_tok_1', 'v_tok_2'],
      ['v_tok_2', 'v_tok_1'],
    ]);
    expect((await readPairsFile(file)).notices).toEqual([
      `${file}: in 2 of 2 pairs (the first is pair 0) another pair of the file has chosen and rejected the other way round`,
    ]);
  });

  it('refuses a file in which nothing is preferred', async () => {
    const file = pairsFile([
      ['v_tok_1', 'v_tok_1'],
      ['v_tok_2', 'v_tok_2'],
    ]);
    await expect(readPairsFile(file)).rejects.toThrow(
      `${file}: chosen and rejected are the same completion in every pair; they must differ`,
    );
  });

  it("takes TRL's rows without rewards as votes, and says so", async () => {
    const file = join(temporaryFolder(), 'pairs.jsonl');
    const row = { prompt: '<s>a</s>v_tok_1</s>', chosen: 'v_tok_1', rejected: 'v_tok_2v_tok_3' };
    writeFileSync(file, [row, { ...row, chosen: 'v_tok_5' }].map((each) => JSON.stringify(each)).join('\n'));
    const { rows, notices } = await readPairsFile(file);
    expect(notices).toEqual([
      `${file} has no rewards: chosen completions count as 1, rejected ones as 0, as after votes`,
    ]);
    const rewards = { chosenReward: 1, rejectedReward: 0, averageReward: 0.5 };
    expect(rows.map(({ chosen, ...rest }) => [chosen, rest])).toEqual(
      [[1], [5]].map((chosen) => [
        chosen,
        { instruction: 'a', source: [1], rejected: [2, 3], ...rewards, details: {} },
      ]),
    );
    // What names some of the rewards was meant to have them all.
    writeFileSync(file, JSON.stringify([{ ...row, chosen_rewards: 2 }]));
    await expect(readPairsFile(file)).rejects.toThrow(`${file}: rejected_rewards: `);
  });

  it('leaves out further columns of anything but numbers, and names them', async () => {
    const path = join(temporaryFolder(), 'pairs.json');
    const pair = { prompt: '<s>a</s>v_tok_1</s>', chosen: 'v_tok_1', rejected: 'v_tok_2' };
    const rewards = { chosen_rewards: 2, rejected_rewards: 1, average_rewards: 1.5 };
    const other = { id: 'p226', turns: [{ role: 'user' }], seen: true };
    const rows = [
      { ...pair, ...rewards, ...other, gain: 7, score: null },
      { ...pair, ...rewards, gain: 8, score: 1 },
    ];
    writeFileSync(path, JSON.stringify(rows));
    const why = 'left out: beside prompt, chosen and rejected only columns of numbers are read';
    const read = await readPairsFile(path);
    expect(read.rows.map(({ details }) => details)).toEqual([{ gain: 7 }, { gain: 8 }]);
    expect(read.notices[0]).toBe(`${path}: the columns id, turns, seen, score are ${why}`);
    // Also one that the first row lacks.
    writeFileSync(path, JSON.stringify([pair, { ...pair, speaker: 'p226' }]));
    expect((await readPairsFile(path)).notices[0]).toBe(`${path}: the column speaker is ${why}`);
    const columns = Object.fromEntries(Object.entries(rows[0]).map(([name, value]) => [name, [value]]));
    writeFileSync(path, JSON.stringify({ ...columns, version: '1.0', ids: ['a', 'b'] }));
    expect((await readPairsFile(path)).rows.map(({ details }) => details)).toEqual([{ gain: 7 }]);
    writeFileSync(path, JSON.stringify({ ...columns, gain: [7, 8] }));
    await expect(readPairsFile(path)).rejects.toThrow('prompt has 1 rows, gain has 2');
  });

  it.each([1, 2])('says what %d rows of KTO are, and what would be right', async (count) => {
    const path = join(temporaryFolder(), 'kto.jsonl');
    const row = { prompt: '<s>a</s>v_tok_1</s>', completion: 'v_tok_2', label: true };
    writeFileSync(path, `${JSON.stringify(row)}\n`.repeat(count));
    await expect(readPairsFile(path)).rejects.toThrow(
      `${path} holds single samples, as TRL's KTO takes them (prompt, completion, label), and pairs are needed: rows of prompt, chosen and rejected`,
    );
  });
});
