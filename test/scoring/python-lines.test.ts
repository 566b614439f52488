import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { runScript } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { startPythonLines } from '../../lib/scoring/python-lines.js';

const PROGRAM = `
  const say = (object) => process.stdout.write(JSON.stringify(object) + '\\n');
  process.stdin.on('data', () => {
    say({ answer: 1 });
    setTimeout(() => say({ notice: 'still here' }), 50);
  });`;

it('lives on after a notice that comes when nobody waits', async () => {
  const notices: string[] = [];
  const program = startPythonLines(process.execPath, ['-e', PROGRAM], {
    onNotice: (notice) => notices.push(notice),
  });
  try {
    expect(await program.ask({}, 60)).toEqual({ answer: 1 });
    expect(await program.ask({}, 1)).toEqual({ answer: 1 });
    await expect.poll(() => notices.length).toBe(2);
    await sleep(1500);
    expect(await program.ask({}, 60)).toEqual({ answer: 1 });
  } finally {
    program.kill();
  }
});

it.each([
  ['python.js', "runPython(process.execPath, ['-e', busy])"],
  ['python-lines.js', "startPythonLines(process.execPath, ['-e', busy]).ask(undefined, 60)"],
])('a program that computes ends with the process that asks it (%s)', async (module, ask) => {
  const file = join(temporaryFolder(), 'pid');
  const busy = `require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); for (;;);`;
  const { ended } = runScript(`
    const { existsSync } = await import('node:fs');
    const { runPython, startPythonLines } = await library('scoring/${module}');
    const busy = ${JSON.stringify(busy)};
    void ${ask}.catch(() => undefined);
    setInterval(() => existsSync(${JSON.stringify(file)}) && process.exit(), 50);`);
  await ended;
  const pid = Number(readFileSync(file, 'utf8'));
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  await expect.poll(() => isAlive(pid)).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    // A process that has ended stays until whoever took it on looks.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
