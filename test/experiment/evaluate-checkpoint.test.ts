import { join } from 'node:path';
import { expect, it } from 'vitest';
import { evaluateCheckpoint } from '../../lib/experiment/evaluate-checkpoint.js';
import { whileLocked } from '../../lib/experiment/lock.js';
import { parseParameters } from '../../lib/experiment/parameters.js';
import { temporaryFolder } from '../support/temporary-folder.js';

it('is refused while another process makes the same evaluation, before a model is opened', async () => {
  const outputDirectory = join(temporaryFolder(), 'output');
  const directories = { name: '0601-1200', modelDirectory: 'nowhere', outputDirectory };
  const evaluate = (samplesPerPrompt: number) =>
    evaluateCheckpoint(parseParameters({ policy: 'no-such-model' }), {
      split: 'test',
      indices: [0],
      samplesPerPrompt,
      iteration: 2,
      directories,
    }).next();
  const other = whileLocked(
    outputDirectory,
    async function* () {
      yield 'evaluating';
    },
    'eval_2_10_even-token.json',
  );
  await other.next();
  await expect(evaluate(10)).rejects.toThrow('is writing there');
  await expect(evaluate(11)).rejects.toThrow('no-such-model');
  await other.next();
  await expect(evaluate(10)).rejects.toThrow('no-such-model');
});
