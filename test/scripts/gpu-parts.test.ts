/** What `npm run gpu-check` keeps of its parts, with small programs in their place. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { fingerprint } from '../../scripts/gpu/fingerprint.mjs';
import { openParts } from '../../scripts/gpu/parts.mjs';
import { temporaryFolder } from '../support/temporary-folder.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  vi.spyOn(console, 'log').mockImplementation(() => undefined);
  vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
});

/** A program that notes that it ran, prints, and ends. */
const program = (print: string, code = 0) => [
  '-e',
  `require('fs').appendFileSync('ran', 'x'); console.log(${JSON.stringify(print)}); console.error('ended'); process.exitCode = ${code}`,
];
const timesRun = () => readFileSync(join(folder, 'ran'), 'utf8').length;
/** Not one that has ended and that nobody waited for. */
const isRunning = (pid: number) => {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', `${pid}`], { encoding: 'utf8' });
  return /^[^Z]/.test(stdout.trim());
};
const open = (options = {}) => openParts(folder, { cwd: folder, ...options });
const row = (name: string) => `| median | speech-dpo |\n| --- | --- |\n| ${name} | 3 ms |\n\na machine`;

it('a part that fails leaves what the others measured, also in the files, and is run again by a second call', async () => {
  const parts = open();
  await parts.run('first row', program(row('first')), { hasTable: true });
  await parts.run('tests', program('no GPU', 3), { hasTable: true });
  await parts.run('second row', program(row('second')), { hasTable: true });
  parts.skip('third row', 'there is no model');
  expect(parts.haveFailed()).toBe(true);
  const [checks, table, machine] = parts.report().split('\n\n');
  expect(checks).toMatch(
    /first row \| passed in .*\n.*tests \| FAILED \(3\) .*\n.*second row \| passed .*\n.*third row \| skipped: there is no model/,
  );
  expect(table).toBe('| median | speech-dpo |\n| --- | --- |\n| first | 3 ms |\n| second | 3 ms |');
  expect(machine).toBe('a machine');
  expect(readFileSync(join(folder, 'report.md'), 'utf8').trim()).toBe(parts.report());
  expect(readFileSync(join(folder, 'tests.txt'), 'utf8').split('\n').sort()).toEqual(['', 'ended', 'no GPU']);

  const partial = open();
  await partial.run('first row', program(row('first')), { hasTable: true });
  expect(partial.haveFailed()).toBe(false);
  expect(partial.report()).not.toMatch(/tests|second/);
  partial.skip('fourth row', 'there is no model');

  const second = open();
  await second.run('first row', program(row('first')), { hasTable: true });
  await second.run('tests', program('a GPU'));
  await second.run('second row', program(row('second')), { hasTable: true });
  second.skip('third row', 'there is no model');
  expect(timesRun()).toBe(4);
  expect(second.haveFailed()).toBe(false);
  expect(second.report().split('\n\n').slice(1)).toEqual([table, machine]);
});

it('a part that passed is run again where its arguments, its code or the GPUs are others, and says why', async () => {
  const said = vi.spyOn(console, 'log').mockClear();
  mkdirSync(join(folder, 'code/deep'), { recursive: true });
  const write = (text: string) => writeFileSync(join(folder, 'code/deep/a.js'), text);
  /** What is said of a part that is asked for in a call of its own. */
  const asked = async (print: string, options = {}) => {
    said.mockClear();
    await open({ gpus: 'an H100', ...options }).run('a row', program(print), { of: ['code'] });
    return said.mock.calls
      .flat()
      .join(' ')
      .replace(/passed in .*?T\d\d:\d\d/, 'PASSED');
  };
  write('one');
  expect(await asked('one')).toBe('\n# a row');
  expect(await asked('one')).toBe('\n# a row kept: PASSED');
  // What the compiler writes for editors runs nowhere.
  writeFileSync(join(folder, 'code/deep/a.d.ts'), '');
  expect(await asked('one')).toBe('\n# a row kept: PASSED');
  expect(await asked('two')).toBe('\n# a row again: it is called with other arguments than the last time');
  write('two');
  expect(await asked('two')).toBe('\n# a row again: the code has changed since it PASSED');
  expect(await asked('two', { gpus: 'an A10' })).toBe(
    '\n# a row again: it PASSED, on an H100, and here is an A10',
  );
  expect(await asked('two', { gpus: 'an A10' })).toBe('\n# a row kept: PASSED');
  expect(timesRun()).toBe(4);
  open().skip('a row', 'there is no model');
  expect(await asked('two')).toBe(
    '\n# a row again: an earlier call left it out (skipped: there is no model)',
  );
});

it('with again, all parts are run again', async () => {
  await open().run('a row', program('two'));
  const elsewhere = temporaryFolder();
  const parts = openParts(folder, { cwd: elsewhere, again: true });
  await parts.run('a row', program('two'));
  expect(existsSync(join(elsewhere, 'ran'))).toBe(true);
  expect(parts.report()).toMatch(/a row \| passed/);
});

it('the code of a part is told by names and contents of files, wherever they lie', () => {
  const other = temporaryFolder();
  const write = (root: string, path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const root of [folder, other]) {
    write(root, 'lib/a.js', '1');
    write(root, 'lib/deep/b.py', '2');
    write(root, 'lock.json', '3');
  }
  const here = () => fingerprint(folder, ['lib', 'lock.json']);
  expect(here()).toBe(fingerprint(other, ['lock.json', 'lib']));
  const before = here();
  write(folder, 'lib/deep/b.py', '22');
  expect(here()).not.toBe(before);
  write(folder, 'lib/deep/b.py', '2');
  expect(here()).toBe(before);
  write(folder, 'lib/c.js', '');
  expect(here()).not.toBe(before);
  expect(() => fingerprint(folder, ['missing'])).toThrow('no such file');
});

it('a part has the variables that it is given', async () => {
  const parts = open();
  await parts.run('CUDA: tests', ['-e', 'process.exitCode = Number(process.env.CODE)'], {
    environment: { CODE: '5' },
  });
  expect(parts.report()).toContain('FAILED (5)');
  expect(readdirSync(folder)).toContain('CUDA-tests.txt');
});

it('a part that hangs is ended, with the programs that it started', async () => {
  const parts = open({ mostMinutes: 0.05 });
  const hang = 'setInterval(() => 0, 1000)';
  const start = `require('child_process').spawn(process.execPath, ['-e', '${hang}'], { stdio: 'inherit' })`;
  await parts.run('tests', ['-e', `console.log(${start}.pid); ${hang}`]);
  expect(parts.report()).toMatch(/tests \| FAILED \(SIGKILL\)/);
  const pid = Number(readFileSync(join(folder, 'tests.txt'), 'utf8'));
  // Another process may have to wait for what it adopts.
  await vi.waitFor(() => expect(isRunning(pid)).toBe(false));
});

it('gives what a program prints as lines, and complains of one that fails', async () => {
  const write = vi.spyOn(process.stdout, 'write').mockClear();
  expect(await open().linesOf(program('one\ntwo'))).toEqual(['one', 'two']);
  expect(write).not.toHaveBeenCalled();
  await expect(open().linesOf(program('', 2))).rejects.toThrow('ended with 2');
});
