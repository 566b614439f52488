import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { hashFile, writeDirectoryAtomic, writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import { findAbandoned, releaseTemporary, temporarySibling } from '../../lib/checkpoint/temporary.js';
import { explainWriteError, isOfDisk, withoutElsewhere } from '../../lib/checkpoint/write-error.js';
import { runScript } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const fill = (text: string) => async (folder: string) => {
  mkdirSync(join(folder, 'inner'));
  writeFileSync(join(folder, 'inner', 'file'), text);
};

describe('writeFileAtomic', () => {
  test('writes text, bytes and chunks, makes folders, replaces, leaves nothing beside', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a', 'b', 'file');
    for (const content of [
      'text',
      Buffer.from('bytes'),
      [Buffer.from('ch'), new Uint8Array(0), Buffer.from('unks')],
    ]) {
      await writeFileAtomic(path, content);
      expect(readFileSync(path, 'utf8')).toBe(Array.isArray(content) ? 'chunks' : content.toString());
      expect(readdirSync(join(folder, 'a', 'b'))).toEqual(['file']);
    }
  });

  test('a name that is too long, and a link to itself, are told', async () => {
    const folder = temporaryFolder();
    symlinkSync('loop', join(folder, 'loop'));
    await expect(writeFileAtomic(join(folder, 'n'.repeat(250)), 'text')).rejects.toThrow(
      `cannot write to ${folder}: a name is too long (the system allows 255 bytes, of which writing the file needs some 40); choose another (on the command line: --output).`,
    );
    await expect(writeFileAtomic(join(folder, 'loop', 'file'), 'text')).rejects.toThrow(
      `cannot write to ${join(folder, 'loop')}: a symbolic link in the path leads back to itself; choose another (on the command line: --output).`,
    );
    await expect(writeFileAtomic(join(folder, 'loop'), 'text')).rejects.toThrow(
      `cannot write to ${folder}: a symbolic link in the path leads back to itself; choose another (on the command line: --output).`,
    );
    expect(readlinkSync(join(folder, 'loop'))).toBe('loop');
  });

  test('a pipe, and a link to one, stay what they are', async () => {
    const folder = temporaryFolder();
    const [pipe, link] = ['pipe', 'link'].map((name) => join(folder, name));
    execFileSync('mkfifo', [pipe]);
    symlinkSync('pipe', link);
    for (const path of [pipe, link])
      await expect(writeFileAtomic(path, 'text')).rejects.toThrow(
        `cannot write to ${path}: it is a device or a pipe, which a file would replace; choose another (on the command line: --output).`,
      );
    expect(statSync(pipe).isFIFO()).toBe(true);
    expect(readlinkSync(link)).toBe('pipe');
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test('writes the file that a link leads to, and makes one of a link that leads nowhere', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), 'old');
    symlinkSync('file', join(folder, 'link'));
    symlinkSync('nowhere', join(folder, 'dangling'));
    await writeFileAtomic(join(folder, 'link'), 'new');
    await writeFileAtomic(join(folder, 'dangling'), 'text');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('new');
    expect(readlinkSync(join(folder, 'link'))).toBe('file');
    expect(readFileSync(join(folder, 'dangling'), 'utf8')).toBe('text');
    expect(readdirSync(folder).toSorted()).toEqual(['dangling', 'file', 'link']);
  });

  test('a folder that is being written is named as a person knows it', async () => {
    const folder = join(temporaryFolder(), 'dpo_model');
    const writing = writeDirectoryAtomic(folder, async (temporary) => {
      await writeFileAtomic(join(temporary, 'n'.repeat(250)), 'text');
    });
    await expect(writing).rejects.toThrow(`cannot write to ${folder}: a name is too long`);
  });

  test.each([
    ['EROFS', 'the file system is read-only; make it writable'],
    ['EFBIG', 'the file would be too large; allow larger files (ulimit -f)'],
  ])('a disk that takes nothing more is told with what mends it: %s', (code, sentence) => {
    const error = Object.assign(new Error('refused'), { code });
    const { message } = explainWriteError(error, '/folder') as Error;
    expect(message).toBe(
      `cannot write to /folder: ${sentence}, or choose another (on the command line: --output).`,
    );
    expect(withoutElsewhere(message)).toBe(`cannot write to /folder: ${sentence}.`);
    expect(isOfDisk(error)).toBe(true);
  });

  test('a folder of that name, and a place where nobody can make a folder, are told', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'file'));
    await expect(writeFileAtomic(join(folder, 'file'), 'text')).rejects.toThrow(
      `cannot write to ${folder}: the file has the name of a folder that is there; choose another (on the command line: --output).`,
    );
    expect(readdirSync(folder)).toEqual(['file']);
    // Node.js' own recursive mkdir never ends there.
    if (process.platform === 'linux')
      await expect(writeFileAtomic('/proc/nothing/here/file', 'text')).rejects.toThrow(
        'cannot write to /proc/nothing/here: there is no such folder, and none can be made; choose another (on the command line: --output).',
      );
  });

  test('keeps the old content when the new one fails on the way', async () => {
    const path = join(temporaryFolder(), 'file');
    await writeFileAtomic(path, 'old');
    const failing = function* (): Generator<Uint8Array> {
      yield Buffer.from('new');
      throw new Error('no more');
    };
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('no more');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  test('lets writers of one path take turns: the last one called stays, whoever is slow', async () => {
    const path = join(temporaryFolder(), 'file');
    let letGo = () => {};
    const slow = async function* () {
      yield Buffer.from('slow');
      await new Promise<void>((resolve) => (letGo = resolve));
    };
    const failing = function* (): Generator<Uint8Array> {
      throw new Error('no more');
    };
    const first = writeFileAtomic(path, slow());
    const second = writeFileAtomic(path, failing());
    const others = Array.from({ length: 20 }, (_, i) => writeFileAtomic(path, `other ${i}`));
    await expect.poll(() => readdirSync(join(path, '..'))).toHaveLength(1);
    letGo();
    await expect(second).rejects.toThrow('no more');
    expect(new Set([await first, ...(await Promise.all(others))]).size).toBe(21);
    expect(readFileSync(path, 'utf8')).toBe('other 19');
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  test('lets a writer wait for the one under way also when earlier ones have ended', async () => {
    const path = join(temporaryFolder(), 'file');
    const first = writeFileAtomic(path, 'first');
    const second = writeFileAtomic(
      path,
      (async function* () {
        yield Buffer.from('sec');
        await new Promise((resolve) => setTimeout(resolve, 300));
        yield Buffer.from('ond');
      })(),
    );
    await first;
    await Promise.all([second, writeFileAtomic(path, 'third')]);
    expect(readFileSync(path, 'utf8')).toBe('third');
  });

  test('of several processes each writes a whole file', async () => {
    const path = join(temporaryFolder(), 'file');
    const write = (letter: string) => `
      const { writeFileAtomic } = await library('checkpoint/atomic.js');
      for (let i = 0; i < 30; i++) await writeFileAtomic(${JSON.stringify(path)}, '${letter}'.repeat(300_000));`;
    const ended = await Promise.all(['a', 'b', 'c'].map((letter) => runScript(write(letter)).ended));
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 3 }, () => ({ code: 0, stderr: '' })),
    );
    const content = readFileSync(path, 'utf8');
    expect(content.length).toBe(300_000);
    expect(new Set(content).size).toBe(1);
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
  });

  test("clears away a killed writer's file, and never a living one's", async () => {
    const path = join(temporaryFolder(), 'file');
    const write = `
      const { writeFileAtomic } = await library('checkpoint/atomic.js');
      const { once } = await import('node:events');
      await writeFileAtomic(${JSON.stringify(path)}, (async function* () {
        yield Buffer.from('of ');
        await once(process.stdin, 'data');
        yield Buffer.from('another');
      })());
      process.exit();`;
    const temporaries = () => readdirSync(join(path, '..')).filter((name) => name !== 'file');
    const killed = runScript(write);
    await expect.poll(temporaries, { timeout: 60_000 }).toHaveLength(1);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(temporaries()).toHaveLength(1);

    const living = runScript(write);
    await expect.poll(() => temporaries().join(), { timeout: 60_000 }).toContain(`-${living.child.pid}-`);
    expect(temporaries()).toHaveLength(1);
    await writeFileAtomic(path, 'mine');
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(temporaries()).toHaveLength(1);
    living.child.stdin.write('go on');
    expect(await living.ended).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(path, 'utf8')).toBe('of another');
    expect(temporaries()).toEqual([]);
  });

  test('is on the disk before it gets its name, and the name is too', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'file');
    const handle = await open(folder);
    const synced = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'sync').mockImplementation(() => {
      seen.push(
        readdirSync(folder).map((name) => [name === 'file', readFileSync(join(folder, name), 'utf8')]),
      );
      return Promise.resolve();
    });
    const seen: unknown[] = [];
    await writeFileAtomic(path, 'text').finally(() => {
      synced.mockRestore();
    });
    await handle.close();
    expect(seen).toEqual([[[false, 'text']], [[true, 'text']]]);
  });

  test('keeps the old file where the disk gives back other bytes', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'file');
    await writeFileAtomic(path, 'old');
    const writing = writeFileAtomic(
      path,
      (async function* () {
        yield Buffer.from('of ');
        const [temporary] = readdirSync(folder).filter((name) => name !== 'file');
        await writeFile(join(folder, temporary), 'if', { flag: 'r+' });
        yield Buffer.from('another');
      })(),
    );
    await expect(writing).rejects.toThrow('the disk gave back other bytes than were written');
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test('says why a folder cannot be written, and what to do', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(writeFileAtomic(join(file, 'sub', 'x'), '')).rejects.toThrow(
      `cannot write to ${join(file, 'sub')}: a part of the path is a file; choose another (on the command line: --output).`,
    );
  });
});

describe('writeDirectoryAtomic', () => {
  test('shows the folder only when it is complete', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'iter_0', 'dpo_model');
    await writeDirectoryAtomic(target, async (folder) => {
      await fill('whole')(folder);
      expect(existsSync(target)).toBe(false);
    });
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('whole');
    expect(readdirSync(join(parent, 'iter_0'))).toEqual(['dpo_model']);
  });

  test('leaves nothing behind when filling fails, and keeps what was there', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    const failing = async (folder: string): Promise<void> => {
      await fill('half')(folder);
      throw new Error('no more');
    };
    await expect(writeDirectoryAtomic(target, failing)).rejects.toThrow('no more');
    expect(readdirSync(parent)).toEqual([]);
    await writeDirectoryAtomic(target, fill('old'));
    await expect(writeDirectoryAtomic(target, failing, { replace: true })).rejects.toThrow('no more');
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('old');
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('replaces a folder only when told to', async () => {
    const target = join(temporaryFolder(), 'model');
    mkdirSync(target);
    await writeDirectoryAtomic(target, fill('first'));
    await expect(writeDirectoryAtomic(target, fill('second'))).rejects.toThrow(
      `cannot write to ${target}: it exists and is not empty; choose another (on the command line: --output).`,
    );
    await writeDirectoryAtomic(target, fill('third'), { replace: true });
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('third');
    expect(readdirSync(join(target, '..'))).toEqual(['model']);
  });

  test('leaves a folder as it is that another process fills meanwhile', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    const writing = writeDirectoryAtomic(target, async (folder) => {
      await fill('mine')(folder);
      mkdirSync(target);
      await fill('of another')(target);
    });
    await expect(writing).rejects.toThrow('it exists and is not empty');
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('of another');
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('clears away what a killed process left', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    const killed = runScript(`
      const { writeDirectoryAtomic } = await library('checkpoint/atomic.js');
      await writeDirectoryAtomic(${JSON.stringify(target)}, () => new Promise(() => setInterval(() => {}, 1000)));`);
    await expect.poll(() => readdirSync(parent), { timeout: 60_000 }).toHaveLength(1);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(readdirSync(parent)).toHaveLength(1);
    expect(existsSync(target)).toBe(false);
    await writeDirectoryAtomic(target, fill('whole'));
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('keeps the folder that a killed process had moved aside until there is a new one', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    const aside = temporarySibling(target, 'previous');
    mkdirSync(aside);
    await fill('old')(aside);
    releaseTemporary(aside);
    const failing = () => Promise.reject(new Error('no more'));
    await expect(writeDirectoryAtomic(target, failing, { replace: true })).rejects.toThrow('no more');
    expect(readFileSync(join(aside, 'inner', 'file'), 'utf8')).toBe('old');
    await writeDirectoryAtomic(target, fill('new'), { replace: true });
    expect(readdirSync(parent)).toEqual(['model']);
  });

  test('lets writers of one folder take turns, and writers in several processes replace each other', async () => {
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    const both = await Promise.allSettled(
      ['one', 'two'].map((text) => writeDirectoryAtomic(target, fill(text))),
    );
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(readFileSync(join(target, 'inner', 'file'), 'utf8')).toBe('one');

    const replace = (letter: string) => `
      const { writeDirectoryAtomic, writeFileAtomic } = await library('checkpoint/atomic.js');
      const fill = async (folder) => {
        for (const name of ['x', 'y']) await writeFileAtomic(folder + '/' + name, '${letter}'.repeat(100_000));
      };
      for (let i = 0; i < 15; i++) await writeDirectoryAtomic(${JSON.stringify(target)}, fill, { replace: true });`;
    const ended = await Promise.all(['a', 'b', 'c'].map((letter) => runScript(replace(letter)).ended));
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 3 }, () => ({ code: 0, stderr: '' })),
    );
    expect(readdirSync(parent)).toEqual(['model']);
    expect(readdirSync(target)).toEqual(['x', 'y']);
    expect(await hashFile(join(target, 'x'))).toBe(await hashFile(join(target, 'y')));
  });

  test('says why a folder cannot be made', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(writeDirectoryAtomic(join(file, 'a', 'b'), fill(''))).rejects.toThrow(
      `cannot write to ${join(file, 'a', 'b')}: a part of the path is a file; choose another (on the command line: --output).`,
    );
    await expect(writeDirectoryAtomic(file, fill(''))).rejects.toThrow(
      `cannot write to ${file}: a part of the path is a file`,
    );
  });
});

describe('what lies beside a file under a temporary name', () => {
  test('is left behind once this process has released it', async () => {
    const target = join(temporaryFolder(), 'file');
    const path = temporarySibling(target, 'tmp');
    writeFileSync(path, '');
    expect(await findAbandoned(target, 'tmp')).toEqual([]);
    releaseTemporary(path);
    expect(await findAbandoned(target, 'tmp')).toEqual([path]);
    expect(await findAbandoned(target, 'part')).toEqual([]);
    expect(await findAbandoned(`${target}2`, 'tmp')).toEqual([]);
  });

  test('is not left behind while another thread of this process may write it', async () => {
    const target = join(temporaryFolder(), 'file');
    const mine = temporarySibling(target, 'tmp');
    releaseTemporary(mine);
    const path = mine.replace(/-\d+-([0-9a-f]{8}\.tmp)$/, '-99-$1');
    expect(path).not.toBe(mine);
    writeFileSync(path, '');
    expect(await findAbandoned(target, 'tmp')).toEqual([]);
  });

  test('is left behind by another machine that has not touched it for a day', async () => {
    const target = join(temporaryFolder(), 'file');
    const path = join(target, '..', '.file.01234567-1-0-89abcdef.tmp');
    writeFileSync(path, '');
    for (const [hours, expected] of [
      [23, []],
      [25, [path]],
    ] as const) {
      // prettier-ignore
      const then = new Date(Date.now() - hours * 3_600_000);
      await utimes(path, then, then);
      expect(await findAbandoned(target, 'tmp')).toEqual(expected);
    }
  });
});
