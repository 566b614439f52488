import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createCheckpointKeeper } from '../../lib/experiment/checkpoints.js';
import type { Evaluation } from '../../lib/experiment/evaluate.js';
import { parseParameters } from '../../lib/run/parameters.js';
import type { Run } from '../../lib/experiment/run.js';
import { device } from '../support/device.js';
import type { Policy } from '../../lib/policy/policy.js';
import { evenTokenReward } from '../../lib/reward/even-token.js';
import { randomPolicy } from '../support/random-policy.js';
import { temporaryFolder } from '../support/temporary-folder.js';

/**
 * Of so many prompts with two samples in each split, a tenth more reward for each prompt after the first. What is good on held-out prompts is bad
 * on train prompts.
 */
function evaluation(reward: number, prompts = 1): Evaluation {
  const scored = (mean: number) =>
    Array.from({ length: prompts }, (_, prompt) => twoSamples(mean * (1 + prompt / 10)));
  return { train: scored(10 - reward), test: scored(reward) };
}

function twoSamples(reward: number): Evaluation['test'][number] {
  return [reward - 1, reward + 1].map((value) => ({
    codes: [1],
    reward: value,
    rank: value,
    finished: true,
    details: {},
    figures: {},
  }));
}

/**
 * The iterations whose checkpoints are left after evaluations with these held-out rewards, and the run's folder.
 *
 * @param options.resumed iterations that the run had evaluated when it was resumed
 */
async function keep(
  parameters: object,
  rewards: readonly number[],
  { prompts = 1, resumed = 0, modelDirectory = temporaryFolder() } = {},
) {
  const run = {
    device,
    parameters: parseParameters(parameters),
    directories: { name: '0601-1200', modelDirectory, outputDirectory: '' },
    policy: randomPolicy() as Policy,
    reward: evenTokenReward,
  } as Partial<Run> as Run;
  const earlier = rewards.slice(0, resumed).map((reward, iteration) => ({ iteration, reward }));
  const keeper = createCheckpointKeeper(run, evaluation(2, prompts), earlier);
  for (const [iteration, reward] of rewards.entries()) {
    mkdirSync(join(modelDirectory, `iter_${iteration}`, 'dpo_model'), { recursive: true });
    if (iteration < resumed) continue;
    await keeper.add(iteration, evaluation(reward, prompts));
    expect(existsSync(join(modelDirectory, `iter_${iteration}`))).toBe(true);
  }
  await keeper.finish();
  const left = [...rewards.keys()].filter((k) => existsSync(join(modelDirectory, `iter_${k}`)));
  return { left, modelDirectory };
}

describe('keepCheckpoints', () => {
  it.each([
    ['all', [0, 1, 2, 3]],
    ['last', [3]],
    ['best', [1]],
  ])('%s', async (keepCheckpoints, expected) => {
    expect((await keep({ keepCheckpoints }, [3, 4, 2.5, 4])).left).toEqual(expected);
  });

  it.each([
    ['last', [4, 3, 3.5], [2]],
    ['best', [3, 4, 2.5], [1]],
    ['best', [3, 3.5, 4], [2]],
  ])('%s, in a run that was resumed, of rewards %j', async (keepCheckpoints, rewards, expected) => {
    expect((await keep({ keepCheckpoints }, rewards, { resumed: 2 })).left).toEqual(expected);
  });

  it('takes no more than checkpoints: what a person put beside one stays', async () => {
    const modelDirectory = temporaryFolder();
    const merged = join(modelDirectory, 'iter_0', 'merged');
    mkdirSync(merged, { recursive: true });
    expect((await keep({ keepCheckpoints: 'last' }, [3, 4], { modelDirectory })).left).toEqual([0, 1]);
    expect(readdirSync(join(modelDirectory, 'iter_0'))).toEqual(['merged']);
  });

  it('nothing else is known', () => {
    expect(() => parseParameters({ keepCheckpoints: 'some' })).toThrow('keepCheckpoints');
  });
});

describe('the model card', () => {
  const cardOf = async (parameters: object, prompts?: number) => {
    const { modelDirectory } = await keep(parameters, [3], { prompts });
    return readFileSync(join(modelDirectory, 'iter_0', 'dpo_model', 'README.md'), 'utf8');
  };

  it('tells rewards before and after, lineage and parameters', async () => {
    const card = await cardOf({ policy: 'org/model@v1', instruction: 'a | b' });
    expect(card).toMatch(/^---\nlibrary_name: transformers\n.*\nbase_model: org\/model\n---\n/);
    expect(card).toContain('| at the start | test | 2 | 2.000 | 2.000 | 1.000 | 1.000 | 3.000 |');
    expect(card).toContain('| this one | test | 2 | 3.000 | 3.000 | 1.000 | 2.000 | 4.000 |');
    expect(card).toContain('Started from org/model@v1. Iterations 0 to 0 of run 0601-1200');
    expect(card).toContain('| instruction | "a \\| b" |');
    expect(card).toContain('| seed | 42 |');
    expect(card).toMatch(/Versions: speech-dpo \d/);
  });

  it('tells how held-out prompts changed: n, interval where there are enough, effect size, win rate', async () => {
    expect(await cardOf({})).toContain(
      'Mean reward of 1 test prompt, this one less the start: 1.000; win rate 100 %, ties counted half.',
    );
    // By 1, 1.1, ..., 1.5: mean 1.25, standard deviation √.035; Student's interval is 1.054 to 1.446.
    expect(await cardOf({}, 6)).toMatch(
      /Mean reward of 6 test prompts, this one less the start: 1\.250; 95 % interval 1\.0\d\d to 1\.4\d\d \(paired bootstrap over prompts\); effect size d_z 6\.68; win rate 100 %/,
    );
  });

  it.each([
    [{}, "with the model at the iteration's start as reference"],
    [{ reference: 'first' }, "with the model at the run's start as reference"],
    [{ reference: 'moving' }, 'with a reference that follows the model'],
    [{ reference: 'none' }, 'without a reference'],
    [{ loss: 'simpo' }, 'by a loss without a reference'],
  ])('says of %o what rewards were measured against', async (parameters, told) => {
    expect(await cardOf(parameters)).toContain(`data_iter_k.json of that run,\n${told}.\n`);
  });

  it('names no base model that is not on a hub', async () => {
    expect(await cardOf({})).not.toContain('base_model');
    expect(await cardOf({})).toContain('Started from the policy embedded in speech-dpo.');
    expect(await cardOf({ policy: 'run/iter_2/dpo_model' })).not.toContain('base_model');
  });
});
