import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPackageRoot } from '../lib/package-root.js';
import { temporaryFolder } from './support/temporary-folder.js';

const FOLDER = join(findPackageRoot(), 'examples');

/** What each example prints last, and writes. */
const EXAMPLES: Record<string, { last: RegExp; writes: string[] }> = {
  'own-reward': { last: /^after iteration 0: held-out reward 0\.\d{3}$/, writes: ['model_output', 'output'] },
  'score-recordings': { last: /^}$/, writes: ['source.wav', 'target.wav'] },
  'dpo-from-pairs': { last: /^step 4: loss \d\.\d{4}, margin -?\d+\.\d{4}$/, writes: ['trained_policy'] },
  'edit-recording': { last: /^Make .* s became \d\.\d\d s, in out\.wav$/, writes: ['in.wav', 'out.wav'] },
};

function runExample(name: string, args: string[], cwd: string): string[] {
  const program = join(findPackageRoot(), 'dist', 'examples', `${name}.js`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return stdout.trim().split('\n');
}

describe('the examples run without arguments, on the embedded model alone:', () => {
  it('all of them, and their README names each', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts'));
    expect(files.sort()).toEqual(
      Object.keys(EXAMPLES)
        .map((name) => `${name}.ts`)
        .sort(),
    );
    const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8');
    for (const name of Object.keys(EXAMPLES)) expect(readme).toContain(`node dist/examples/${name}.js`);
  });

  it.each(Object.entries(EXAMPLES))('%s', (name, { last, writes }) => {
    const folder = temporaryFolder();
    const lines = runExample(name, [], folder);
    expect(lines.at(-1)).toMatch(last);
    if (name === 'own-reward')
      expect(lines).toContainEqual(expect.stringMatching(/^[1-9]\d* pairs to train on$/));
    for (const path of writes) expect(existsSync(join(folder, path)), path).toBe(true);
  });
});
