import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { checkpointOf, policySource, savedIterations } from '../../lib/run/checkpoint-path.js';
import { locateRun } from '../../lib/run/find-run.js';
import { temporaryFolder } from '../support/temporary-folder.js';

let root: string;
const NAME = '0601-1200';
const at = (...parts: string[]) => join(root, ...parts);
const policyOf = (k: number) => at('model_output', NAME, `iter_${k}`, 'dpo_model');

beforeEach(() => {
  root = temporaryFolder();
  for (const k of [0, 2, 10]) mkdirSync(policyOf(k), { recursive: true });
  mkdirSync(at('output', NAME), { recursive: true });
  writeFileSync(at('model_output', NAME, 'run.json'), '{}');
  vi.spyOn(process, 'cwd').mockReturnValue(root);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const NAMES = [NAME, `output/${NAME}`, `model_output/${NAME}/`, `./${NAME}`];

it.each(NAMES)('%s names the run and its checkpoints', (name) => {
  const directories = {
    name: NAME,
    modelDirectory: at('model_output', NAME),
    outputDirectory: at('output', NAME),
  };
  for (const given of [name, join(root, name)]) {
    expect(locateRun(given)).toEqual(directories);
    expect(checkpointOf(given)).toEqual({ directories, iteration: 10, policy: policyOf(10) });
    for (const checkpoint of [`${given}/iter_2`, `${given}/iter_2/dpo_model`]) {
      expect(locateRun(checkpoint)).toEqual(directories);
      expect(checkpointOf(checkpoint)).toEqual({ directories, iteration: 2, policy: policyOf(2) });
      expect(policySource(checkpoint)).toBe(
        checkpoint.includes('model_output') && checkpoint.endsWith('dpo_model') ? checkpoint : policyOf(2),
      );
    }
  }
});

it('a run is found from within its folders too', () => {
  vi.spyOn(process, 'cwd').mockReturnValue(at('output'));
  expect(locateRun(NAME).modelDirectory).toBe(at('model_output', NAME));
  vi.spyOn(process, 'cwd').mockReturnValue(at('model_output', NAME));
  expect(checkpointOf('iter_0')?.policy).toBe(policyOf(0));
  expect(locateRun('.').name).toBe(NAME);
});

it('a folder that is called as one of theirs may have runs of its own', () => {
  const inner = at('output', 'model_output', '0701-1200');
  mkdirSync(inner, { recursive: true });
  writeFileSync(join(inner, 'run.json'), '{}');
  vi.spyOn(process, 'cwd').mockReturnValue(at('output'));
  expect(locateRun('0701-1200').modelDirectory).toBe(inner);
});

it('a run whose run.json cannot be seen is there: who reads it is told why', () => {
  const file = at('model_output', NAME, 'run.json');
  rmSync(file);
  symlinkSync(file, file);
  expect(locateRun(NAME).modelDirectory).toBe(at('model_output', NAME));
});

it('says what was looked for, and which runs there are', () => {
  mkdirSync(at('model_output', `.${NAME}`));
  writeFileSync(at('model_output', `.${NAME}`, 'run.json'), '{}');
  expect(() => locateRun('0601-1300')).toThrow(
    `there is no run 0601-1300: ${at('model_output', '0601-1300', 'run.json')} does not exist; the runs here are ${NAME}; write FOLDER/0601-1300 for a run below another folder`,
  );
  for (const name of ['0601-1300', 'model_output/renamed', 'output/renamed'])
    expect(() => checkpointOf(name)).toThrow(`there is no run ${name}: `);
  expect(() => locateRun('/no/such/output/run')).toThrow(
    'there is no run /no/such/output/run: /no/such/model_output/run/run.json does not exist; there are no runs in /no/such',
  );
  for (const name of NAMES)
    expect(() => checkpointOf(`${name}/iter_3`)).toThrow(
      `${name}/iter_3 is no run's checkpoint: ${policyOf(3)} does not exist; run ${NAME} has iter_0, iter_2, iter_10`,
    );
  for (let day = 10; day < 22; day++) {
    mkdirSync(at('model_output', `07${day}-1200`), { recursive: true });
    writeFileSync(at('model_output', `07${day}-1200`, 'run.json'), '{}');
  }
  expect(() => locateRun('0601-1300')).toThrow('the runs here are 3 earlier ones, 0712-1200, 0713-1200');
});

it('leaves alone what names no run', () => {
  mkdirSync(at('mine'));
  writeFileSync(at('mine', 'config.json'), '{}');
  // A policy lies where its owner puts it.
  mkdirSync(at('output', 'mine'));
  writeFileSync(at('output', 'mine', 'config.json'), '{}');
  for (const source of [
    'default',
    'organisation/name@main',
    'mine',
    at('mine'),
    'nothing',
    at('output', 'mine'),
  ])
    expect(policySource(source)).toBe(source);
});

it('a folder that is only called like a checkpoint is itself', () => {
  mkdirSync(at('copied', 'iter_7'), { recursive: true });
  writeFileSync(at('copied', 'iter_7', 'adapter_config.json'), '{}');
  expect(checkpointOf(at('copied', 'iter_7'))).toBeUndefined();
  mkdirSync(at('copied', 'iter_8', 'dpo_model'), { recursive: true });
  expect(checkpointOf(at('copied', 'iter_8'))?.policy).toBe(at('copied', 'iter_8', 'dpo_model'));
});

it('orders checkpoints as numbers, and says when a run has none', () => {
  // Where an interrupted training goes on from is none yet.
  mkdirSync(at('model_output', NAME, 'iter_11', 'training'), { recursive: true });
  expect(savedIterations(locateRun(NAME))).toEqual([0, 2, 10]);
  mkdirSync(at('model_output', '0601-1400'));
  writeFileSync(at('model_output', '0601-1400', 'run.json'), '{}');
  expect(() => checkpointOf('0601-1400')).toThrow('run 0601-1400 has no checkpoint: ');
});
