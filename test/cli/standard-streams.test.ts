/** Standard output and error that are closed or full, of the real command line in a process of its own. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeWav } from '../../lib/audio/wav.js';
import { findPackageRoot } from '../../lib/package-root.js';
import { runCommand } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const CLI = join(findPackageRoot(), 'dist', 'lib', 'cli.js');

async function recording(): Promise<string> {
  const path = join(temporaryFolder(), 'a.wav');
  await writeWav(path, new Float32Array(16_000).fill(0.1), 16_000);
  return path;
}

describe('a reader that leaves is no error', () => {
  it.each([['--help'], ['even-token', '--help']])('%j', async (...args) => {
    const { child, ended } = runCommand(args);
    child.stdout.destroy();
    expect(await ended).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  it.each([[[]], [['--json']]])('score %j', async (options) => {
    const { child, ended } = runCommand(['score', await recording(), '--metric', 'silence', ...options]);
    child.stdout.destroy();
    expect(await ended).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  it('of errors either: the exit code is as ever', async () => {
    const { child, ended } = runCommand(['report', '/no/such/run']);
    child.stderr.destroy();
    expect(await ended).toEqual({ code: 2, signal: null, stdout: '', stderr: '' });
  });
});

describe.skipIf(!existsSync('/dev/full'))('a full disk', () => {
  it.each([['--help'], ['score']])('under the output of %s: exit code 74 and a sentence', async (command) => {
    const args = command === 'score' ? ['score', await recording(), '--metric', 'silence'] : [command];
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], {
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    expect(String(stderr)).toBe('error: cannot write standard output: the disk is full\n');
    expect(status).toBe(74);
  });
});
