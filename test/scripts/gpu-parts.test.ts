/** What `npm run gpu-check` keeps of its parts, with small programs in their place. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
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

it('a part is run again where it is asked for otherwise, and all are with again', async () => {
  await open().run('a row', program('one'));
  await open().run('a row', program('two'));
  await open().run('a row', program('two'));
  expect(timesRun()).toBe(2);
  const elsewhere = temporaryFolder();
  const parts = openParts(folder, { cwd: elsewhere, again: true });
  await parts.run('a row', program('two'));
  expect(existsSync(join(elsewhere, 'ran'))).toBe(true);
  expect(parts.report()).toMatch(/a row \| passed/);
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
