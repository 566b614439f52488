/** Programs of recipes/ and bench/ as a person starts them: what they say of a wrong command line, and of what is missing. */
import { execFile } from 'node:child_process';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { chooseRows, type Duel } from '../../bench/duel.js';
import { listUtterances, speechFile } from '../../recipes/default/utterances.js';
import { writeSafetensors } from '../../lib/checkpoint/safetensors.js';
import { temporaryFolder } from '../support/temporary-folder.js';

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs dist/{path} in a folder of its own, unless one is given. */
function start(path: string, args: readonly string[], cwd = temporaryFolder()): Promise<Ended> {
  return new Promise((fulfil) =>
    execFile(
      process.execPath,
      ['--no-warnings', resolve('dist', path), ...args],
      { cwd },
      (error, stdout, stderr) => fulfil({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  );
}

const RECIPES = ['speech', 'codebooks', 'dataset', 'train-codec', 'train-tokenizer', 'prompts'];
const PROGRAMS = [
  ...RECIPES.map((name) => `recipes/default/${name}.js`),
  ...['run', 'gpu', 'fleet', 'losses', 'growth', 'base-size/train'].map((name) => `bench/${name}.js`),
];

it.each(PROGRAMS)('%s has a --help, and refuses an unknown option in a sentence', async (path) => {
  const [help, wrong] = await Promise.all([start(path, ['--help']), start(path, ['--bogus'])]);
  expect(help).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(/^Usage: .*\n[^]*--help/),
  });
  const stderr = "error: unknown option '--bogus'\n(--help shows what there is)\n";
  expect(wrong).toEqual({ code: 2, stdout: '', stderr });
});

it.each([
  ['recipes/default/dataset.js', ['200'], 'Expected a whole number of at least 201.'],
  ['recipes/default/train-codec.js', ['12x'], 'Expected a whole number of at least 1.'],
  ['recipes/default/train-policy.js', ['ar', '--out=x', '--steps=0'], 'whole number of at least 1.'],
  ['bench/growth.js', ['--axes', 'prompt,none'], 'There are prompt, completion, samples, parameters,'],
  ['bench/fleet.js', ['--workers', '1,x'], 'Expected a whole number of at least 1.'],
])('%s %j: %s', async (path, args, sentence) => {
  const { code, stderr } = await start(path, args);
  expect(stderr).toContain(sentence);
  expect(code).toBe(2);
});

it.each([
  ['codebooks.js', [], 'run node dist/recipes/default/speech.js 1600 1 first'],
  ['dataset.js', ['300'], 'run node dist/recipes/default/speech.js 300 1 first'],
  ['train-codec.js', [], 'run node dist/recipes/default/codebooks.js first'],
  ['train-policy.js', ['ar', '--out', 'x'], 'run node dist/recipes/default/dataset.js first'],
  ['prompts.js', [], 'run node dist/recipes/default/dataset.js first'],
  ['evaluate.js', ['--python', 'no-such-python'], 'no-such-python cannot run recipes/default/transcribe.py'],
])('%s %j before the step that it needs: %s', async (name, args, sentence) => {
  const { code, stderr } = await start(`recipes/default/${name}`, args);
  expect(stderr).toMatch(/^error: .*\n$/);
  expect(stderr).toContain(sentence);
  expect(code).toBe(2);
});

it.each([
  ["new Error('x is wrong')", 2, /^error: x is wrong\n$/],
  [
    "Object.assign(new Error('released'), { name: 'SuppressedError', suppressed: new Error('x is wrong') })",
    2,
    /^error: x is wrong\n$/,
  ],
  ["Object.assign(new Error('full'), { code: 'ENOSPC' })", 74, /^error: full\n$/],
  [
    "new TypeError('a mistake')",
    70,
    /^error: this is a fault of speech-dpo[^]*\ncommand: node program\.js --x\n[^]*TypeError: a mistake\n +at /,
  ],
])('what a program throws ends it as it ends the command line: %s', async (error, code, said) => {
  const program = join(temporaryFolder(), 'program.mjs');
  const path = pathToFileURL(resolve('dist/recipes/program.js'));
  writeFileSync(
    program,
    `import { createProgram } from '${path.href}';\ncreateProgram('node program.js', '');\nthrow ${error};`,
  );
  const ended = await start(program, ['--x']);
  expect(ended.stderr).toMatch(said);
  expect(ended.code).toBe(code);
});

describe('dataset.js', () => {
  it('refuses batches that are older than the codebooks', async () => {
    const folder = temporaryFolder();
    const items = join(folder, '.cache/default/items/of-201');
    const speech = join(folder, '.cache/default/speech');
    for (const path of [items, speech]) mkdirSync(path, { recursive: true });
    for (const utterance of listUtterances(201, 1))
      writeFileSync(join(speech, speechFile(utterance).split('/').at(-1)!), '');
    const number = { shape: [1], dtype: 'float32' as const, data: Float32Array.of(1) };
    const names = ['scale.mel_mean', 'scale.mel_deviation', 'scale.log_f0_mean', 'codebooks.0'];
    await writeSafetensors(
      join(folder, '.cache/default/codebooks.safetensors'),
      new Map(names.map((name) => [name, number])),
    );
    writeFileSync(join(items, '0001.jsonl'), '');
    utimesSync(join(items, '0001.jsonl'), 1, 1);
    const { code, stderr } = await start('recipes/default/dataset.js', ['201'], folder);
    expect(stderr).toMatch(/^error: .*0001\.jsonl is older than .*: delete \.cache\/default\/items and run/);
    expect(code).toBe(2);
  });
});

it('--only names the rows that there are where it chooses none', () => {
  const rows = ['NISQA of a file', 'DNSMOS of a file'].map((name) => ({ name }) as Duel);
  expect(chooseRows(rows, 'DNS')).toEqual([rows[1]]);
  expect(() => chooseRows(rows, 'PESQ')).toThrow(
    '--only PESQ: no row has that in its name; the rows are\n  NISQA of a file\n  DNSMOS of a file',
  );
});
