import { expect, it } from 'vitest';
import { checkTypes, notebookCells } from './notebook-code.js';

const NAMES = [
  'compare_runs',
  'dpo_even_token',
  'dpo_length',
  'dpo_mos',
  'quick_train_eval',
  'test_audio_metrics',
];
const notebooks = notebookCells();

/** Characters that a cell shows in a window 1,000 pixels wide, with the file browser open. */
const LONGEST_LINE = 71;

it('there are six notebooks, of few lines a cell that need no scrolling', () => {
  expect([...notebooks.keys()].sort()).toEqual(NAMES.map((name) => `${name}.ipynb`));
  for (const [name, cells] of notebooks) {
    for (const cell of cells) expect(cell.split('\n').length, `${name}: ${cell}`).toBeLessThanOrEqual(17);
    const lines = cells.flatMap((cell) => cell.split('\n'));
    expect(
      lines.filter((line) => line.length > LONGEST_LINE),
      name,
    ).toEqual([]);
  }
});

it("their code fits the library's types", () => {
  const programs = new Map([...notebooks].map(([name, cells]) => [name, cells.join('\n')]));
  const broken = "import { openRun } from '../lib';\nawait openRun(42);";
  const complaints = checkTypes(new Map([...programs, ['broken.ipynb', broken]]));
  expect(complaints).toEqual([expect.stringMatching(/^broken\.ipynb:2: .*number.*not assignable/)]);
});

it('a setting that is empty may be given, as its comment says', () => {
  const given = {
    "runs:         ''": "runs: 'a, b'",
    "run:          ''": "run: 'a'",
    "reward:       ''": "reward: 'mos'",
  };
  const programs = new Map<string, string>();
  for (const [empty, setting] of Object.entries(given)) {
    const [name, cells] = [...notebooks].find(([, each]) => each.join('\n').includes(empty))!;
    programs.set(`${setting} of ${name}`, cells.join('\n').replace(empty, setting));
  }
  expect(checkTypes(programs)).toEqual([]);
});
