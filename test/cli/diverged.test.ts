/** What the command line says after a training that diverged: no `resume`, which would come to the same end. */
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const SMALL =
  '--iterations 1 --train-prompts 2 --test-prompts 1 --audio-prompts 0 --sample-size 3 --num-eval 1 --max-new-tokens 10 ' +
  '--epochs 2 --batch-size 1 --pairs-per-prompt 1';

afterEach(() => {
  vi.restoreAllMocks();
});

it('names a smaller learning rate, and the command that begins anew with it', async () => {
  const folder = temporaryFolder();
  const model = join(folder, 'model');
  await writeTinyModel(model);
  let complained = '';
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((complained += String(text)), true));
  const signal = new AbortController().signal;
  const args = ['even-token', '--model', model, '--output', folder, '--learning-rate', '1e38'];
  expect(await main([...args, ...SMALL.split(' ')], signal)).toBe(2);
  const [, command] = /^What is complete is kept\. To begin anew with .*: npx speech-dpo (.*)$/m.exec(
    complained,
  )!;
  expect(command).toMatch(/^run --config \S+ --learning-rate 1e\+37$/);
  expect(complained).toContain('it diverges again: take a smaller learningRate, which is 1e+38\n');
  expect(complained).not.toContain('resume');

  // The command itself is one that this program takes.
  complained = '';
  expect(await main([...command.split(' '), '--output', folder], signal)).toBe(2);
  expect(complained).toContain('--learning-rate 1e+36');
});
