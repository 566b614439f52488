import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { commandText, quoteForShell } from '../lib/command-text.js';

it('leaves plain words alone', () => {
  expect(commandText('resume', 'model_output/0601-1200', '--device', 'cpu')).toBe(
    'npx speech-dpo resume model_output/0601-1200 --device cpu',
  );
});

it.each(['my run', "it's", 'a "b"', '$HOME', 'a`b`', '*', 'é', '', 'back\\slash', '!x'])(
  'a shell reads %j as one word',
  (word) => {
    const { stdout } = spawnSync('sh', ['-c', `printf %s ${quoteForShell(word)}`], { encoding: 'utf8' });
    expect(stdout).toBe(word);
  },
);
