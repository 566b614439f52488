import { readdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { parametersSchema, parseParameters } from '../../lib/run/parameters.js';
import { presets } from '../../lib/run/presets.js';
import { captureTerminal } from '../support/terminal.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeFixtureRun } from '../view/fixture-run.js';

const terminal = captureTerminal();
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const run = (...args: string[]) => main(args, new AbortController().signal);

describe('help', () => {
  it.each(['--help', 'even-token --help'])('of "%s" shows every parameter with its default', async (line) => {
    expect(await run(...line.split(' '))).toBe(0);
    const text = terminal.printed.replace(/\s+/g, ' ');
    for (const name of Object.keys(parametersSchema.shape)) {
      // `mos` alone has a choice of rewards.
      if (name === 'reward' || name === 'rewardModel') continue;
      const flag = name.replace(/[A-Z]/g, (letter) => '-' + letter.toLowerCase());
      expect(text).toMatch(
        new RegExp(`--(no-)?${flag}[ <][^(]*(\\([^)]*\\)[^(]*)?\\((choices: [^)]+, )?default: [^)]+\\)`),
      );
    }
    const { learningRate } = parseParameters(presets['even-token']);
    expect(text).toContain(
      `--learning-rate <number> of AdamW, at its peak; schedule says how it changes (default: ${learningRate})`,
    );
  });

  it('of length shows its own instruction', async () => {
    expect(await run('length', '--help')).toBe(0);
    expect(terminal.printed.replace(/\s+/g, ' ')).toContain(
      '(default: "Make the audio much faster than before.")',
    );
    expect(terminal.printed).not.toContain('--synthetic-first-iteration');
  });
});

describe('wrong input ends with exit code 2, one sentence and no files', () => {
  it.each([
    ['an unknown option', ['even-token', '--bata', '0.2'], "error: unknown option '--bata'"],
    ['an unknown command', ['even'], "error: unknown command 'even'"],
    ['text for a number', ['length', '--beta', 'strong'], 'Expected a number.'],
    ['a number out of range', ['even-token', '--sample-size', '1'], 'parameters: --sample-size: too small'],
    [
      'two numbers out of range',
      ['even-token', '--seed', '-1', '--lora-rank', '-1'],
      /--seed: too small: [^;]*; --lora-rank: too small/,
    ],
    [
      'options that do not go together',
      ['length', '--drop-uniform'],
      'parameters: --drop-uniform needs --min-chosen, the reward',
    ],
    [
      'options of several rewards for one',
      ['length', '--combine', 'harmonic', '--reward-steps', '1'],
      '--combine and --reward-steps go with several rewards, and length is one',
    ],
    [
      'a number out of range of a command that is no run',
      ['train', '--pairs', 'pairs.json', '--batch-size', '0'],
      'parameters: --batch-size: too small',
    ],
    [
      'one of edit',
      ['edit', '--wav', 'a.wav', '--instruction', 'Louder.', '--max-new-tokens', '0'],
      'parameters: --max-new-tokens: too small',
    ],
    ['a missing model', ['even-token', '--model', '/no/such/model'], '/no/such/model'],
    ['a folder without a run', ['report', '/no/such/output/run'], '/no/such/model_output/run/run.json'],
    ['a folder without reference values', ['verify', '/no/such/folder'], '/no/such/folder'],
    ['a missing recording', ['edit', '--wav', '/no/such.wav', '--instruction', 'Faster'], '/no/such.wav'],
    [
      'a negative temperature',
      ['edit', '--wav', 'a.wav', '--instruction', 'Faster', '--temperature', '-1'],
      'temperature: too small',
    ],
  ])('%s', async (_, args, message) => {
    const output = args[0] === 'even-token' || args[0] === 'length' ? ['--output', folder] : [];
    expect(await run(...args, ...output)).toBe(2);
    expect(terminal.complained).toMatch(message);
    expect(terminal.complained).not.toMatch(/\n\s+at /);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([[['verify', '~/no/such/run']], [['even-token', '--model=~/no/such/run']]])(
    'a path at home that no shell has expanded: %j',
    async (args) => {
      expect(await run(...args)).toBe(2);
      expect(terminal.complained).toContain(join(homedir(), 'no/such'));
      expect(terminal.complained).not.toContain('~');
    },
  );

  it('a folder to be called in that was removed', async () => {
    vi.spyOn(process, 'cwd').mockImplementation(() => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { syscall: 'uv_cwd' });
    });
    expect(await run('even-token', '--output', folder)).toBe(2);
    vi.mocked(process.cwd).mockRestore();
    expect(terminal.complained).toBe(
      'error: the folder that this command is called in was removed: go to one that is there, as with cd ~\n',
    );
  });

  it('an output folder that cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    expect(await run('even-token', '--output', join(folder, 'file'))).toBe(2);
    expect(terminal.complained).toMatch(/^error: cannot write to .*file.*--output\)\.\n$/);
  });

  it('a run whose folder cannot be written, in a command that can choose no other', async () => {
    const { root, modelDirectory, outputDirectory } = await writeFixtureRun();
    await rm(outputDirectory, { recursive: true });
    await writeFile(outputDirectory, '');
    expect(await run('tensorboard', modelDirectory)).toBe(2);
    expect(terminal.complained).toMatch(/^error: cannot write to .*: a part of the path is a file\.\n$/);
    await rm(root, { recursive: true });
  });
});
