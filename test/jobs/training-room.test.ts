/** A training that does not fit into a device's memory is refused before a run begins. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CpuDevice, parseParameters, runExperiment } from '../../lib/index.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

class FullDevice extends CpuDevice {
  override readonly freeBytes = 100_000;
}

it('refuses in a sentence, and writes nothing', async () => {
  const [model, root] = [temporaryFolder(), temporaryFolder()];
  await writeTinyModel(model);
  const parameters = parseParameters({
    reward: 'even-token',
    model,
    trainPrompts: 2,
    testPrompts: 1,
    batchSize: 4,
    maxNewTokens: 20,
  });
  const device = new FullDevice();
  onTestFinished(() => device.close());
  const run = runExperiment(parameters, { root, device });
  await expect(run.next()).rejects.toThrow(
    /^a training step on 4 pairs of prompts of up to \d+ ids and completions of up to 22 takes \S+ GiB of the device's memory, and 0\.00 GiB are free; not even one pair fits/,
  );
  expect(['output', 'model_output'].filter((name) => existsSync(join(root, name)))).toEqual([]);
  expect(readdirSync(root)).toEqual([]);
});
