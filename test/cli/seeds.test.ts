/** `--seeds` and `compare` on the command line, with a tiny model. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { runSeeds } from '../../lib/jobs/run-seeds.js';
import { isBeingWritten } from '../../lib/run/lock.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { readRun } from '../../lib/run/run-files.js';
import { overSeeds } from '../../lib/view/compare/seeds.js';

import { writeTinyModel } from '../support/tiny-model.js';

const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-seeds-'));
const model = join(folder, 'model');
const SMALL = (
  '--iterations 1 --train-prompts 2 --test-prompts 2 --audio-prompts 0 --sample-size 3 --num-eval 2 --max-new-tokens 10 ' +
  '--epochs 1 --pairs-per-prompt 1'
).split(' ');

let printed: string;
let complained: string;
let onPrint: () => void;
beforeAll(() => writeTinyModel(model));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  [printed, complained, onPrint] = ['', '', () => undefined];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    onPrint();
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complained += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const run = (args: string[], signal = new AbortController().signal) => main(args, signal);
const experiment = (output: string, ...args: string[]) => [
  ...['even-token', '--model', model, '--output', join(folder, output), ...SMALL, ...args],
];

it('runs once with each seed, in folders of their own, and ends with the table over seeds and a page', async () => {
  const output = join(folder, 'whole', 'output');
  expect(await run(experiment('whole', '--seeds', '3,5'))).toBe(0);
  const names = readdirSync(output).filter((name) => !name.endsWith('.html'));
  expect(names).toHaveLength(2);
  const runs = await Promise.all(names.map((name) => readRun(join(output, name))));
  expect(runs.map(({ record }) => [record.seed, record.parameters.seed, record.state])).toEqual([
    [3, 3, 'finished'],
    [5, 5, 'finished'],
  ]);
  for (const name of names) expect(existsSync(join(output, name, 'report.html'))).toBe(true);
  expect(printed).toContain('seed 3, 1 of 2\n');
  const [{ change }] = overSeeds(runs);
  const last = printed.split('\n').find((line) => line.startsWith('all '))!;
  expect(last).toContain(`${change.mean < 0 ? '−' : '+'}${Math.abs(change.mean).toFixed(2)} (`);
  expect(last).toMatch(/ 2 seeds$/);
  const page = readFileSync(join(output, `${names[0]}-seeds.html`), 'utf8');
  expect(page).toContain('Over seeds');
});

it('keeps what is complete when interrupted, and says what goes on with the rest', async () => {
  const abort = new AbortController();
  onPrint = () => {
    if (/seed 2, 2 of 4\n[^]*original policy, held-out/.test(printed)) abort.abort();
  };
  expect(await run(experiment('stopped', '--seeds', '1,2,3,4'), abort.signal)).toBe(130);
  const root = join(folder, 'stopped');
  const [first, second, ...others] = readdirSync(join(root, 'output'));
  expect(others).toEqual([]);
  expect((await readRun(join(root, 'output', first))).record.state).toBe('finished');
  expect((await readRun(join(root, 'output', second))).record.state).toBe('interrupted');
  expect(complained).toMatch(new RegExp(`npx speech-dpo resume \\S*model_output/${second}\n`));
  expect(complained).toContain(
    'Seeds 3, 4 have not begun. To run what is left: the same command with --seeds 3,4\n',
  );
  expect(complained).toMatch(
    new RegExp(`npx speech-dpo compare \\S*output/${first} \\S*output/${second} \\S*output/MMDD-HHMM\n`),
  );

  onPrint = () => undefined;
  expect(await run(['resume', join(root, 'model_output', second)])).toBe(0);
  printed = '';
  const page = join(root, 'both.html');
  const folders = [first, second].map((name) => join(root, 'output', name));
  expect(await run(['compare', ...folders, '--output', page])).toBe(0);
  expect(printed).toMatch(/^all .* 2 seeds$/m);
  expect(printed).toMatch(/both\.html\n$/);
  expect(readFileSync(page, 'utf8')).toContain('2 runs side by side');
});

describe('wrong input ends with exit code 2 and one sentence', () => {
  it.each([
    [['even-token', '--seeds', '1,two'], 'Expected whole numbers with commas between them'],
    [['even-token', '--seeds', '7'], 'give two seeds or more, each once, as 1,2,3, and not 7'],
    [['length', '--seeds', '1,2,1'], 'each once, as 1,2,3, and not 1,2,1'],
    [['even-token', '--seeds', '1,4294967296'], 'wrong parameters: --seed: too big'],
    [
      ['mos', '--seeds', '1,2', '--seed', '3'],
      "option '--seeds <list>' cannot be used with option '--seed <number>'",
    ],
    [['compare', '/no/such/run'], 'compare takes two runs or more'],
    [['compare', '/no/such/a', '/no/such/b'], 'there is no run /no/such/a: '],
  ])('%j', async (args, message) => {
    const output = args[0] === 'compare' ? [] : ['--output', join(folder, 'none')];
    expect(await run([...args, ...output])).toBe(2);
    expect(complained).toContain(message);
    expect(complained).not.toMatch(/\n\s+at /);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

it('the library runs what is left unread, too', async () => {
  const root = join(folder, 'unread');
  const parameters = parseParameters({
    ...{ model, iterations: 1, trainPrompts: 1, testPrompts: 1, sampleSize: 2, numEval: 1, maxNewTokens: 5 },
    ...{ audioPrompts: 0, epochs: 1 },
  });
  const seeds: number[] = [];
  for await (const { seed } of runSeeds(parameters, [8, 9], { root })) seeds.push(seed);
  expect(seeds).toEqual([8, 9]);
  for (const name of readdirSync(join(root, 'output')))
    expect((await readRun(join(root, 'output', name))).record.state).toBe('finished');

  // Who leaves in the middle of a run leaves nothing of it open.
  const left = mkdtempSync(join(folder, 'left-'));
  for await (const { events } of runSeeds(parameters, [8, 9], { root: left })) {
    while ((await events.next()).value?.type !== 'started');
    break;
  }
  const [name] = readdirSync(join(left, 'output'));
  const { record, directories } = await readRun(join(left, 'output', name));
  expect(record.state).toBe('interrupted');
  expect(await isBeingWritten(directories.modelDirectory)).toBe(false);
});
