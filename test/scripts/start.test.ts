import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/** `npm start -- --help`: what it says, and the help of the experiment that it chooses. */
function start(environment: Record<string, string>): string {
  const script = join(findPackageRoot(), 'scripts', 'start.mjs');
  const env = { ...process.env, NISQA_WEIGHTS: '', XDG_CACHE_HOME: temporaryFolder(), ...environment };
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, '--help'], {
    env,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

it('npm start runs mos where the weights of NISQA are at hand', () => {
  const weights = join(temporaryFolder(), 'nisqa.tar');
  writeFileSync(weights, '');
  const said = start({ NISQA_WEIGHTS: weights });
  expect(said).toContain('Usage: speech-dpo mos');
  expect(said).not.toContain('instead of mos');
});

it('npm start runs even-token where they cannot be had, and says why', () => {
  const said = start({ HF_HUB_OFFLINE: '1' });
  expect(said).toContain('running the even-token experiment instead of mos: NISQA weights not found');
  expect(said).toContain('Usage: speech-dpo even-token');
});
