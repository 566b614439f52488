import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startPythonLines } from '../../lib/scoring/python-lines.js';

const PROGRAM = `
  const say = (object) => process.stdout.write(JSON.stringify(object) + '\\n');
  process.stdin.on('data', () => {
    say({ answer: 1 });
    say({ notice: 'still here' });
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
