import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findRunDirectories, type RunDirectories } from '../../lib/run/directories.js';
import { checkpointParameters, evaluateCheckpoint } from '../../lib/jobs/evaluate-checkpoint.js';
import {
  describeEvaluation,
  evaluationFileName,
  type CheckpointEvaluation,
} from '../../lib/run/evaluation-result.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { whileLocked } from '../../lib/run/lock.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import { readRun } from '../../lib/run/run-files.js';
import { trainFrom, trainingParameters } from '../../lib/jobs/train-from.js';
import { writeTinyModel } from '../support/tiny-model.js';
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
      root: '.',
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

it.each([0, -1, 1.5, NaN, 1e9])(
  'refuses %d samples of a prompt, before a model is opened',
  async (samples) => {
    const evaluating = evaluateCheckpoint(parseParameters({ policy: 'no-such-model' }), {
      ...{ split: 'test', indices: [0], samplesPerPrompt: samples, iteration: 2, root: '.' },
    });
    await expect(evaluating.next()).rejects.toThrow(
      `the number of samples of each prompt must be a whole number from 1 to 100000, not ${samples}`,
    );
  },
);

it('is called as in the research code, with the name of a reward that is not mos', async () => {
  const nameOf = (reward: string, iteration: number) =>
    evaluationFileName(temporaryFolder(), { reward }, { iteration, samplesPerPrompt: 10 });
  expect(await nameOf('mos', 2)).toBe('eval_2_10.json');
  expect(await nameOf('length', -1)).toBe('eval_original_10_length.json');
});

it('is the same one for a run of more train prompts, unless these come from the same dataset', async () => {
  const describe = (parameters: Partial<Parameters>) =>
    describeEvaluation(parseParameters(parameters), { split: 'test', indices: [0], samplesPerPrompt: 1 });
  const [few, many] = [{ trainPrompts: 2 }, { trainPrompts: 3 }];
  expect(await describe(few)).toEqual(await describe(many));
  const data = 'items.jsonl';
  expect(await describe({ ...few, data })).not.toEqual(await describe({ ...many, data }));
});

it('is another one by another recognizer, where the reward hears words', async () => {
  const describe = (parameters: Partial<Parameters>) =>
    describeEvaluation(parseParameters(parameters), { split: 'test', indices: [0], samplesPerPrompt: 1 });
  expect(await describe({ reward: 'wer', transcriber: 'base' })).toMatchObject({ transcriber: 'base' });
  expect(await describe({ transcriber: 'base' })).not.toHaveProperty('transcriber');
});

it('is another one on another device, which may sample other tokens, but not on another CPU', async () => {
  const describedOn = (name: string, description: string) =>
    describeEvaluation(parseParameters({}), {
      ...{ split: 'test', indices: [0], samplesPerPrompt: 1, device: { name, description } },
    });
  expect(await describedOn('cuda', 'a GPU')).toMatchObject({ device: 'a GPU' });
  expect(await describedOn('cpu', 'the CPU, 2 threads')).not.toHaveProperty('device');
});

it.each([-1, 0.5])('refuses the index %d, which no prompt has', async (index) => {
  const events = evaluateCheckpoint(parseParameters({}), {
    ...{ split: 'test', indices: [0, index], samplesPerPrompt: 1, iteration: 2, root: '.' },
  });
  await expect(events.next()).rejects.toThrow(
    `${index} is no index of a prompt: those are whole numbers from 0 on`,
  );
});

it('names the prompt that is not there by its split and index', async () => {
  const evaluate = (split: 'train' | 'test') =>
    evaluateCheckpoint(parseParameters({}), {
      ...{ split, indices: [3, 16, 2], samplesPerPrompt: 1, iteration: 2, root: '.' },
    }).next();
  for (const split of ['train', 'test'] as const)
    await expect(evaluate(split)).rejects.toThrow(
      `${split} prompt 16, counted from 0, is asked for, the prompts file has 16`,
    );
  await expect(evaluate('validation' as 'test')).rejects.toThrow(
    'there are no prompts of the split "validation": give train or test',
  );
});

describe("evaluations of a run's checkpoint", () => {
  let model: string;
  let run: RunDirectories;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-'));
    model = join(folder, 'model');
    mkdirSync(model);
    await writeTinyModel(model);
    const { train } = JSON.parse(readFileSync(join(model, 'prompts.json'), 'utf8')) as { train: unknown[] };
    const data = join(folder, 'data.json');
    writeFileSync(data, JSON.stringify(train.slice(0, 5)));
    const parameters = parseParameters({
      ...{ model, data, iterations: 1, trainPrompts: 3, testPrompts: 2, audioPrompts: 0, sampleSize: 4 },
      ...{ numEval: 1, maxNewTokens: 20, epochs: 1, batchSize: 2, seed: 7 },
    });
    for await (const event of runExperiment(parameters, { root: folder }))
      if (event.type === 'started') run = findRunDirectories(event.modelDirectory);
    // Even tokens are not heard: neither is needed.
    rmSync(join(model, 'nar'), { recursive: true });
    rmSync(join(model, 'codec'), { recursive: true });
  });
  afterAll(() => {
    rmSync(join(model, '..'), { recursive: true });
  });

  async function evaluate(
    changes: Partial<CheckpointEvaluation> = {},
    given: Partial<Parameters> = {},
  ): Promise<string> {
    const checkpoint = join(run.modelDirectory, 'iter_0');
    const { parameters, ...place } = await checkpointParameters(checkpoint, {
      reward: 'even-token',
      ...given,
    });
    const evaluation = { ...place, split: 'test' as const, indices: [0, 1], samplesPerPrompt: 2, ...changes };
    const events = evaluateCheckpoint(parameters, { ...evaluation, root: '.' });
    for (;;) {
      const { done, value } = await events.next();
      if (done) return basename(value);
    }
  }
  const read = (file: string) => readFileSync(join(run.outputDirectory, file), 'utf8');

  it('stay beside each other, say what they are, and the same one is the same file', async () => {
    // As earlier versions wrote it: it does not say what it is.
    writeFileSync(join(run.outputDirectory, 'eval_0_2_even-token.json'), '{"metrics": {}, "rewards": [1]}');
    const first = await evaluate();
    expect(first).toBe('eval_0_2_even-token-2.json');
    expect(read('eval_0_2_even-token.json')).toBe('{"metrics": {}, "rewards": [1]}');
    const content = read(first);
    expect(JSON.parse(content)).toEqual({
      evaluation: {
        checkpoint: join('iter_0', 'dpo_model'),
        weightsSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        ...{ reward: 'even-token', rewardModel: null, split: 'test', indices: [0, 1], samplesPerPrompt: 2 },
        ...{ seed: 7, temperature: 1, topK: 0, topP: 1, maxNewTokens: 20, trainPrompts: 3 },
        ...{ model, nar: null, codec: null, prompts: null, instruction: null },
        data: join(model, '..', 'data.json'),
        versions: expect.objectContaining({ node: process.versions.node }),
      },
      metrics: expect.objectContaining({ count: expect.any(Number) }),
      rewards: expect.any(Array),
      dropped: expect.any(Array),
    });
    const others = [
      await evaluate({ split: 'train' }),
      await evaluate({ indices: [1] }),
      await evaluate({}, { seed: 8 }),
      await evaluate({}, { temperature: 0.5 }),
      await evaluate({}, { int8: true }),
    ];
    expect(others).toEqual([3, 4, 5, 6, 7].map((number) => `eval_0_2_even-token-${number}.json`));
    expect(new Set(others.map(read)).size).toBe(5);
    expect(JSON.parse(read(others[4]))).toMatchObject({ evaluation: { int8: true } });
    expect(await evaluate()).toBe(first);
    expect(read(first)).toBe(content);
    expect(await evaluate({}, { reward: 'length' })).toBe('eval_0_2_length.json');
  });

  it('hold out what the run held out of its data', async () => {
    await expect(evaluate({ indices: [2] })).rejects.toThrow(
      'and test prompt 2, counted from 0 after the first 3 items, is asked for, which --indices chooses (there are 0-1).',
    );
    await expect(evaluate({ split: 'train', indices: [3] })).rejects.toThrow(
      /^there is no train prompt 3: the first 3 items of .*data\.json train, those after them are held out$/,
    );
  });

  it('are of the prompts with the given indices', async () => {
    const rewardsOf = async (...indices: number[]) => {
      const file = await evaluate({ split: 'train', indices, samplesPerPrompt: 8 });
      return (JSON.parse(read(file)) as { rewards: number[] }).rewards;
    };
    const third = await rewardsOf(2);
    expect(third).toHaveLength(8);
    expect(await rewardsOf(0)).not.toEqual(third);
    expect((await rewardsOf(2, 1)).slice(0, 8)).toEqual(third);
  });

  it('need run.json of the run, and nothing of its metrics.jsonl', async () => {
    const metrics = join(run.modelDirectory, 'metrics.jsonl');
    const whole = readFileSync(metrics);
    writeFileSync(metrics, 'no event\n');
    await expect(evaluate()).resolves.toMatch(/^eval_0_2_even-token/);
    writeFileSync(metrics, whole);
  });

  it.each([
    [
      'a reference that the loss would not look at, as earlier versions allowed',
      { loss: 'simpo', reference: 'moving' },
    ],
    ['pairs that were made up', { syntheticFirstIteration: true }],
    ['how other rewards were combined', { reward: 'even-token+length', rewardWeights: '1,2' }],
  ])('need of a run not %s', async (_, changes) => {
    const file = join(run.modelDirectory, 'run.json');
    const whole = readFileSync(file, 'utf8');
    const record = JSON.parse(whole) as { parameters: object };
    const parameters = { ...record.parameters, ...changes };
    writeFileSync(file, JSON.stringify({ ...record, parameters }));
    await expect(evaluate()).resolves.toMatch(/^eval_0_2_even-token/);
    await expect(evaluate({}, { reward: 'length' })).resolves.toMatch(/^eval_0_2_length/);
    writeFileSync(file, whole);
  });

  it('names another reward model', async () => {
    const checkpoint = join(run.modelDirectory, 'iter_0');
    const descriptions = await Promise.all(
      (['nisqa', 'dnsmos'] as const).map(async (rewardModel) => {
        const given = { reward: 'mos', rewardModel } as const;
        const { parameters, ...place } = await checkpointParameters(checkpoint, given);
        return describeEvaluation(parameters, { ...place, split: 'test', indices: [0], samplesPerPrompt: 1 });
      }),
    );
    expect(descriptions.map(({ rewardModel }) => rewardModel)).toEqual(['nisqa', 'dnsmos']);
  });

  it('and training on pairs of a mos run open no more than they need', async () => {
    vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
    const pairs = join(run.outputDirectory, 'data_iter_0.json');
    const parameters = await trainingParameters(pairs, { reward: 'mos', guard: true });
    const root = join(model, '..', 'trained');
    let saved = false;
    for await (const event of trainFrom(pairs, parameters, { root })) saved ||= event.type === 'saved';
    expect(saved).toBe(true);
    const [name] = readdirSync(join(root, 'model_output'));
    const { record } = await readRun(join(root, 'model_output', name));
    // Which prompts were trained on.
    expect(record.parameters).toMatchObject({ trainPrompts: 3, testPrompts: 2 });
    vi.unstubAllEnvs();
  });
});
