import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkpointOf, findCheckpoint, parseIndices } from '../../lib/run/checkpoint-path.js';
import { temporaryFolder } from '../support/temporary-folder.js';

it('finds a checkpoint and its run by either folder', async () => {
  const root = temporaryFolder();
  const policy = join(root, 'model_output', '0601-1200', 'iter_2', 'dpo_model');
  mkdirSync(policy, { recursive: true });
  for (const path of [policy, join(policy, '..')]) {
    expect(findCheckpoint(path)).toMatchObject({
      policy,
      iteration: 2,
      directories: { name: '0601-1200', outputDirectory: join(root, 'output', '0601-1200') },
    });
  }
  expect(() => findCheckpoint(join(policy, '..', '..', 'iter_3'))).toThrow("is no run's checkpoint");
});

it('finds the last checkpoint of a run by the run, also of more than ten', () => {
  const run = join(temporaryFolder(), 'model_output', '0601-1200');
  const policyOf = (iteration: number) => join(run, `iter_${iteration}`, 'dpo_model');
  for (const iteration of [2, 9, 10]) mkdirSync(policyOf(iteration), { recursive: true });
  // Its training is under way.
  mkdirSync(join(run, 'iter_11', 'training'), { recursive: true });
  writeFileSync(join(run, 'run.json'), '');
  expect(findCheckpoint(run)).toMatchObject({ policy: policyOf(10), iteration: 10 });
  expect(() => findCheckpoint(join(run, 'iter_11'))).toThrow('has iter_2, iter_9, iter_10');
});

it.each(['config.json', 'adapter_config.json'])(
  'takes a folder with a %s for a policy, wherever it lies',
  (file) => {
    for (const name of ['mine', 'iter_2']) {
      const folder = join(temporaryFolder(), 'model_output', name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, file), '{}');
      expect(checkpointOf(folder)).toBeUndefined();
    }
  },
);

it('reads indices as people write them', () => {
  expect(parseIndices('0-2, 7,1')).toEqual([0, 1, 2, 7]);
  for (const wrong of ['', 'a', '3-1', '-1'])
    expect(() => parseIndices(wrong)).toThrow('neither an index nor a range');
  expect(parseIndices('1-1000000')).toHaveLength(1_000_000);
  expect(() => parseIndices('0-1000000')).toThrow('"0-1000000" is a range of more than 1000000 indices');
  expect(() => parseIndices('3,0-999999999')).toThrow(
    '"0-999999999" is a range of more than 1000000 indices',
  );
});
