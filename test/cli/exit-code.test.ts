import { readFile } from 'node:fs/promises';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { exitCodeOf } from '../../lib/cli/exit-code.js';
import { compile } from '../../lib/engine/index.js';
import { captureTerminal } from '../support/terminal.js';
import { device } from '../support/device.js';

const terminal = captureTerminal();

/** What is thrown, or rejected with. */
async function thrownBy(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

const codeOf = async (work: () => unknown, signal = new AbortController().signal) =>
  exitCodeOf(await thrownBy(work), ['speech-dpo', 'edit', '--wav', 'my file.wav'], signal);

function fail(message: string, cause?: unknown): never {
  throw new Error(message, { cause });
}

describe('what a person can mend is one sentence', () => {
  it.each<[string, () => unknown, number, RegExp]>([
    ['wrong input', () => fail('x is wrong'), 2, /^error: x is wrong\n$/],
    ["a terminal's commands", () => fail('x is \x1b[31mwrong'), 2, /^error: x is \ufffd\[31mwrong\n$/],
    ['what the system refuses', () => readFile('/no/such/file'), 2, /^error: ENOENT: .*\n$/],
    [
      "a library's complaint in words of ours",
      async () => fail('x is no model', await thrownBy(() => new Tokenizer({}, {}))),
      2,
      /^error: x is no model\n$/,
    ],
    [
      'what went wrong before something could not be released',
      async () => {
        await using opened = { [Symbol.asyncDispose]: () => Promise.reject(new TypeError('not released')) };
        fail(`cannot write after ${typeof opened}`, Object.assign(new Error('full'), { code: 'ENOSPC' }));
      },
      74,
      /^error: cannot write after object\n$/,
    ],
    [
      'a full disk',
      () => fail('cannot write', Object.assign(new Error('full'), { code: 'ENOSPC' })),
      74,
      /^error: cannot write\n$/,
    ],
    [
      'a disk that failed and is read-only since',
      () => fail('cannot write', Object.assign(new Error('read-only'), { code: 'EROFS' })),
      74,
      /^error: cannot write\n$/,
    ],
  ])('%s', async (_, work, code, message) => {
    expect(await codeOf(work)).toBe(code);
    expect(terminal.complained).toMatch(message);
  });
});

describe('a fault of ours says so, and what to report', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['a mistake in the code', () => (undefined as unknown as string).length, /TypeError: Cannot read/],
    ['a schema that does not fit', () => z.string().parse(1), /ZodError/],
    ['what a dependency throws', () => new Tokenizer({}, {}), /Error: Tokenizer must contain .*\n +at /],
    ['something that is no Error', () => Promise.reject('text'), /'text'/],
    [
      'a program that cannot be compiled',
      () => compile(({ x }) => ({ x }), { x: { shape: [2], dtype: 'float32' } }, { device }),
      /is the name of an input and of an output\n +at /,
    ],
  ])('%s', async (_, work, stack) => {
    expect(await codeOf(work)).toBe(70);
    expect(terminal.complained).toMatch(
      /^error: this is a fault of speech-dpo, not of what you gave it\. Please report it .*\n/,
    );
    expect(terminal.complained).toContain('\ncommand: speech-dpo edit --wav "my file.wav"\n');
    expect(terminal.complained).toMatch(
      new RegExp(
        `\nversion: speech-dpo \\d+\\.\\d+\\.\\d+, Node\\.js ${process.version}, ${process.platform} ${process.arch}\n`,
      ),
    );
    expect(terminal.complained).toMatch(stack);
  });
});

it("a fault is reported without a queue's password", async () => {
  const error = await thrownBy(() => Promise.reject(new TypeError('x')));
  const args = ['speech-dpo', 'mos', '--workers', 'redis://me:secret@queue:6379'];
  expect(exitCodeOf(error, args, new AbortController().signal)).toBe(70);
  expect(terminal.complained).toContain('command: speech-dpo mos --workers "redis://…@queue:6379"\n');
  expect(terminal.complained).not.toContain('secret');
});

it('an interrupted command says so, unless a full disk under standard output stopped it, which is told at the end', async () => {
  expect(await codeOf(() => fail('aborted'), AbortSignal.abort())).toBe(130);
  expect(terminal.complained).toBe('interrupted\n');
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
  expect(await codeOf(() => fail('aborted'), AbortSignal.abort(full))).toBe(74);
  expect(terminal.complained).toBe('interrupted\n');
});
