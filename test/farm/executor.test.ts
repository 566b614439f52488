/** The process that computes for a worker, by modules that answer, hang, or cannot start again. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openExecutor, type Executor } from '../../lib/farm/executor.js';
import type { Offer } from '../../lib/farm/terms.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** Answers each item of the open run with its id; hangs at the item "hang", ends at "end", starts once where it is told so, and opens no run while the file REFUSING is there. */
const MODULE = `
import { existsSync, writeFileSync } from 'node:fs';
const mark = process.argv[2];
const traits = { device: 'the CPU', computes: 'CPU', versions: {}, rewards: [] };
if (mark && existsSync(mark)) process.send({ type: 'unusable', reason: 'there is no file mine.mjs.' });
else {
  if (mark) writeFileSync(mark, '');
  process.send({ type: 'ready', ...traits });
}
let isOpen = false;
process.on('disconnect', () => process.exit());
process.on('message', ({ type, run, id }) => {
  if (type === 'open' && existsSync(process.env.REFUSING ?? ''))
    process.send({ type: 'refused', run, fault: 'worker', reason: 'no network' });
  else if (type === 'open') {
    isOpen = true;
    setTimeout(() => process.send({ type: 'opened', run }), Number(process.env.OPENING_MS ?? 0));
  } else if (!isOpen) process.send({ type: 'failed', id, fault: 'item', reason: 'no run is open' });
  else if (id === 'end') process.exit(3);
  else if (id !== 'hang') process.send({ type: 'result', id, seconds: 0, result: id });
});
`;

async function withExecutor(
  { startsOnce, itemMs }: { startsOnce: boolean; itemMs: number },
  use: (executor: Executor) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder();
  const module = join(folder, 'computes.mjs');
  writeFileSync(module, MODULE);
  const args = startsOnce ? [join(folder, 'started')] : [];
  const executor = await openExecutor({ module, args, env: process.env, itemMs });
  try {
    await executor.open('run', {} as Offer);
    await use(executor);
  } finally {
    await executor.close();
  }
}

describe('the process that computes', () => {
  it('is started anew after an item that it ended with', () =>
    withExecutor({ startsOnce: false, itemMs: 10_000 }, async (executor) => {
      const failure = { fault: 'item', message: 'the process that computes ended with code 3' };
      await expect(executor.do('end', {})).rejects.toMatchObject(failure);
      expect(await executor.do('next', {})).toMatchObject({ result: 'next' });
    }));

  it('is no fault of the next item where it hung and is being ended', () =>
    withExecutor({ startsOnce: false, itemMs: 1500 }, async (executor) => {
      const failure = { fault: 'item', message: 'it took longer than 2 seconds' };
      await expect(executor.do('hang', {})).rejects.toMatchObject(failure);
      expect(await executor.do('next', {})).toMatchObject({ result: 'next' });
    }));

  it('may take longer to open a run than for an item: its models come first', async () => {
    vi.stubEnv('OPENING_MS', '800');
    onTestFinished(() => void vi.unstubAllEnvs());
    await withExecutor({ startsOnce: false, itemMs: 500 }, async (executor) => {
      expect(await executor.do('next', {})).toMatchObject({ result: 'next' });
    });
  });

  it('opens the run for the next item where it could not for the one before', async () => {
    const refusing = join(temporaryFolder(), 'refusing');
    vi.stubEnv('REFUSING', refusing);
    onTestFinished(() => void vi.unstubAllEnvs());
    await withExecutor({ startsOnce: false, itemMs: 10_000 }, async (executor) => {
      await expect(executor.do('end', {})).rejects.toMatchObject({ fault: 'item' });
      writeFileSync(refusing, '');
      await expect(executor.do('next', {})).rejects.toMatchObject({ fault: 'worker', message: 'no network' });
      rmSync(refusing);
      expect(await executor.do('next', {})).toMatchObject({ result: 'next' });
    });
  });

  it('is the fault of no item where it cannot start again', () =>
    withExecutor({ startsOnce: true, itemMs: 10_000 }, async (executor) => {
      await expect(executor.do('end', {})).rejects.toMatchObject({ fault: 'item' });
      const failure = { fault: 'worker', message: 'there is no file mine.mjs.' };
      await expect(executor.do('next', {})).rejects.toMatchObject(failure);
    }));
});
