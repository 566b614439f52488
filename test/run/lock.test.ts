import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { tellingFirst } from '../../lib/plain-error.js';
import { holdingLock, whileLocked } from '../../lib/run/lock.js';
import { temporaryFolder } from '../support/temporary-folder.js';

async function* one(): AsyncGenerator<number> {
  yield 1;
}

async function enter(directory: string, file?: string): Promise<void> {
  for await (const _ of whileLocked(directory, one, file)) continue;
}

function leaveLock(directory: string, owner: object, ageSeconds = 0, number = 1): void {
  const path = join(directory, `.lock_${number}.json`);
  writeFileSync(path, JSON.stringify(owner));
  const then = new Date(Date.now() - 1000 * ageSeconds);
  utimesSync(path, then, then);
}

const owner = {
  pid: process.pid,
  host: hostname(),
  startedAt: '2024-06-01T12:00:00.000Z',
  processStart: '1',
};

describe('a locked directory', () => {
  it('lets nobody else in, and is free afterwards', async () => {
    const directory = temporaryFolder();
    const ended = vi.spyOn(globalThis, 'clearInterval');
    const first = whileLocked(directory, one);
    await first.next();
    await expect(enter(directory)).rejects.toThrow(`process ${process.pid} on ${hostname()}, since `);
    // Else the next owner's lock would be kept from going stale.
    expect(ended).not.toHaveBeenCalled();
    await first.next();
    expect(ended).toHaveBeenCalledTimes(1);
    ended.mockRestore();
    expect(readdirSync(directory)).toEqual([]);
    await enter(directory);
  });

  it('is made where it is missing; one that cannot be made is named', async () => {
    const parent = temporaryFolder();
    await enter(join(parent, 'a', 'b'));
    expect(readdirSync(join(parent, 'a', 'b'))).toEqual([]);
    writeFileSync(join(parent, 'file'), '');
    await expect(enter(join(parent, 'file'))).rejects.toThrow(
      `cannot write to ${join(parent, 'file')}: a part of the path is a file`,
    );
  });

  it('is taken over from a process that is gone, and from an earlier one of the same pid', async () => {
    const directory = temporaryFolder();
    const { pid } = spawnSync(process.execPath, ['--version']);
    leaveLock(directory, { ...owner, pid });
    await enter(directory);
    if (process.platform === 'linux') {
      leaveLock(directory, owner);
      await enter(directory);
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  it('lets nobody in while one holds it under a lower number than a stale lock has', async () => {
    const directory = temporaryFolder();
    leaveLock(directory, { ...owner, host: 'elsewhere' });
    leaveLock(directory, { ...owner, host: 'a third place' }, 180, 2);
    await expect(enter(directory)).rejects.toThrow(/process \d+ on elsewhere, since 2024/);
    expect(readdirSync(directory)).toContain('.lock_1.json');
    expect(readdirSync(directory)).not.toContain('.lock_3.json');
  });

  it(
    'lets nobody in while one holds it under a higher number than a stale lock has',
    { timeout: 10_000 },
    async () => {
      const directory = temporaryFolder();
      leaveLock(directory, { ...owner, host: 'a third place' }, 180);
      leaveLock(directory, { ...owner, host: 'elsewhere' }, 0, 2);
      await expect(enter(directory)).rejects.toThrow(/process \d+ on elsewhere, since 2024/);
      expect(readdirSync(directory)).toEqual(['.lock_1.json', '.lock_2.json']);
    },
  );

  it.runIf(process.platform === 'linux')('tells its process by its start, whatever its name', async () => {
    const directory = temporaryFolder();
    const startOfOwner = async () => {
      const locked = whileLocked(directory, one);
      await locked.next();
      const { processStart } = JSON.parse(
        readFileSync(join(directory, '.lock_1.json'), 'utf8'),
      ) as typeof owner;
      await locked.next();
      return processStart;
    };
    const start = await startOfOwner();
    expect(Number(start)).toBeGreaterThan(0);
    const { title } = process;
    try {
      process.title = 'a) b (c';
      expect(readFileSync('/proc/self/stat', 'utf8')).toContain('(a) b (c) ');
      expect(await startOfOwner()).toBe(start);
    } finally {
      process.title = title;
    }
  });

  it('is held by a process that belongs to somebody else', async () => {
    const directory = temporaryFolder();
    const first = whileLocked(directory, one);
    await first.next();
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    });
    try {
      await expect(enter(directory)).rejects.toThrow(`process ${process.pid} on ${hostname()}, since `);
    } finally {
      kill.mockRestore();
    }
    await first.next();
  });

  it('of another machine is taken over when it was not refreshed for two minutes', async () => {
    const directory = temporaryFolder();
    const elsewhere = { ...owner, host: 'elsewhere' };
    leaveLock(directory, elsewhere, 60);
    await expect(enter(directory)).rejects.toThrow(
      /process \d+ on elsewhere, since [^,]+, is writing there .*refreshed 60 s ago\): wait for it, or end it first$/,
    );
    leaveLock(directory, elsewhere, 180);
    await enter(directory);
  });

  it('may be locked for one of its files only', async () => {
    const directory = temporaryFolder();
    const first = whileLocked(directory, one, 'eval_2_10.json');
    await first.next();
    expect(readdirSync(directory)).toEqual(['.eval_2_10.json.lock_1.json']);
    await enter(directory, 'eval_1_10.json');
    await enter(directory);
    await expect(enter(directory, 'eval_2_10.json')).rejects.toThrow(
      /^process \d+ on .*, which is this one, is writing there \(lock .*\.eval_2_10\.json\.lock_1\.json, refreshed \d s ago\): wait for it, or go on with what it opened first; in a notebook, a restart of the kernel ends it$/,
    );
    await first.next();
    await enter(directory, 'eval_2_10.json');
  });

  it('is locked for work that yields nothing, also where it fails', async () => {
    const directory = temporaryFolder();
    const work = async () => {
      await expect(enter(directory)).rejects.toThrow('is writing there');
      throw new Error('failed');
    };
    await expect(holdingLock(directory, work)).rejects.toThrow('failed');
    expect(await holdingLock(directory, () => Promise.resolve(1))).toBe(1);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('of a pipe, which would be waited for, is one that cannot be read', async () => {
    const directory = temporaryFolder();
    execFileSync('mkfifo', [join(directory, '.lock_1.json')]);
    await expect(enter(directory)).rejects.toThrow('another process, is writing there');
  });

  it('does not hide by its own end why the work failed', async () => {
    const directory = join(temporaryFolder(), 'run');
    const work = () => {
      rmSync(directory, { recursive: true });
      writeFileSync(directory, '');
      return Promise.reject(new Error('failed'));
    };
    const hold = tellingFirst(() => holdingLock(directory, work));
    await expect(hold()).rejects.toThrow('failed');
  });

  it('has one owner when two find the same stale lock', async () => {
    const directory = temporaryFolder();
    leaveLock(directory, { ...owner, host: 'elsewhere' }, 180);
    const both = [whileLocked(directory, one), whileLocked(directory, one)];
    const entered = await Promise.allSettled(both.map((each) => each.next()));
    expect(entered.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});
