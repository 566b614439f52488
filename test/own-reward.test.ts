/** A reward of a person's own through the library's public face: run, report, evaluation, resume. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkpointParameters,
  editRecording,
  encodeWav,
  evaluateCheckpoint,
  loadPrompts,
  loadReward,
  parseParameters,
  resumeExperiment,
  rewardOf,
  runExperiment,
  writeReport,
  type Codec,
  type EditOptions,
  type Parameters,
  type Policy,
  type Reward,
  type RunEvent,
  type Sampler,
} from '../lib/index.js';
import { isPlainError } from '../lib/plain-error.js';
import { readRunFiles } from './support/interrupted-run.js';
import { writeTinyModel } from './support/tiny-model.js';

const restless = rewardOf(
  'restless',
  'codes that <differ>',
  ({ codes }) => codes.filter((code, i) => code !== codes[i - 1]).length,
  { listens: false },
);

const folders: string[] = [];
/** Removed when all tests of this file have ended. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-own-'));
  folders.push(folder);
  return folder;
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const model = newFolder();
beforeAll(() => writeTinyModel(model));

const parameters = parseParameters({
  ...{ model, iterations: 2, trainPrompts: 2, testPrompts: 1, sampleSize: 3, numEval: 3, maxNewTokens: 30 },
  ...{ audioPrompts: 1, epochs: 2, learningRate: 1e-2 },
});

type Started = Extract<RunEvent, { type: 'started' }>;

/** Reads events, to the end or until one is `last`; the run's folders. */
async function follow(
  begin: (signal: AbortSignal) => AsyncGenerator<RunEvent>,
  last?: RunEvent['type'],
): Promise<Started> {
  const stop = new AbortController();
  let started: Started | undefined;
  const reading = async () => {
    for await (const event of begin(stop.signal)) {
      if (event.type === 'started') started = event;
      if (event.type === last) stop.abort();
    }
  };
  if (last) await expect(reading()).rejects.toThrow(/abort/i);
  else await reading();
  return started!;
}

const drain = async (events: AsyncGenerator<RunEvent>) => {
  for await (const event of events) void event;
};

describe('a run with a reward of its own', () => {
  const root = newFolder();
  let run: Started;
  let files: Map<string, string>;
  beforeAll(async () => {
    run = await follow(() => runExperiment(parameters, { root, reward: restless }));
    files = readRunFiles(root);
  });

  it('is recorded, reported and described under its name', async () => {
    const record: unknown = JSON.parse(readFileSync(join(run.modelDirectory, 'run.json'), 'utf8'));
    expect(record).toMatchObject({
      parameters: { reward: 'restless' },
      reward: { name: 'restless', label: 'codes that <differ>' },
      own: ['reward'],
    });
    const report = readFileSync(await writeReport(run.outputDirectory), 'utf8');
    expect(report).toContain('DPO by the reward restless');
    expect(report).toContain('the mean reward, codes that &lt;differ&gt;, went from');
    const card = readFileSync(join(run.modelDirectory, 'iter_1', 'dpo_model', 'README.md'), 'utf8');
    expect(card).toContain('Reward:\nrestless (`codes that <differ>`).');
    const data = JSON.parse(readFileSync(join(run.outputDirectory, 'data_iter_0.json'), 'utf8')) as {
      chosen: string[];
      chosen_rewards: number[];
    };
    const codes = data.chosen[0].split('v_tok_').slice(1).map(Number);
    expect(data.chosen_rewards[0]).toBe(codes.filter((code, i) => code !== codes[i - 1]).length);
  });

  it('its checkpoints are scored by it, and without partner and codec where it does not listen', async () => {
    const checkpoint = join(run.modelDirectory, 'iter_1');
    const { parameters: own, ...place } = await checkpointParameters(checkpoint, { nar: '/nowhere' });
    const evaluation = { ...place, split: 'test', indices: [0, 3], samplesPerPrompt: 2, root } as const;
    const events = evaluateCheckpoint(own, { ...evaluation, reward: restless });
    let path: string | undefined;
    for (;;) {
      const { done, value } = await events.next();
      if (done) {
        path = value;
        break;
      }
    }
    expect(path).toBe(join(run.outputDirectory, 'eval_1_2_restless.json'));
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    expect(content).toMatchObject({ evaluation: { reward: 'restless', indices: [0, 3] } });
    const listening = { ...restless, listens: true };
    await expect(drain(evaluateCheckpoint(own, { ...evaluation, reward: listening }))).rejects.toThrow(
      '/nowhere',
    );
  });

  it('goes on with it to the same bytes, and not without it or with another', async () => {
    const interrupted = newFolder();
    const { modelDirectory, run: name } = await follow(
      (signal) => runExperiment(parameters, { root: interrupted, reward: restless, signal }),
      'saved',
    );
    await expect(drain(resumeExperiment(modelDirectory))).rejects.toThrow(
      `run ${name} is scored by a reward of its own, restless; give it again: npx speech-dpo resume ${modelDirectory} --reward FILE`,
    );
    const other: Reward = { ...restless, name: 'restful' };
    await expect(drain(resumeExperiment(modelDirectory, { reward: other }))).rejects.toThrow(
      `run ${name} is scored by the reward restless, not by restful: give it that one`,
    );
    await drain(resumeExperiment(modelDirectory, { reward: restless }));
    expect(readRunFiles(interrupted)).toEqual(files);
  });

  it.each([
    [{ ...restless, name: 'mos' }, /^the reward is called mos, as a built-in reward is/],
    [{ ...restless, name: 'a/b' }, /^the reward is no reward: name: it must be of letters, digits/],
    [{ ...restless, score: 5 }, /^the reward is no reward: score: it must be a function of samples$/],
  ])('is refused before anything is written when it is none, %#', async (reward, message) => {
    const nowhere = join(root, 'nowhere');
    const running = drain(runExperiment(parameters, { root: nowhere, reward: reward as Reward }));
    await expect(running).rejects.toThrow(message);
  });

  it('a run that is stopped while it is opened leaves no folders', async () => {
    const nowhere = join(root, 'nowhere');
    const options = { root: nowhere, reward: restless, signal: AbortSignal.abort() };
    await expect(drain(runExperiment(parameters, options))).rejects.toThrow(/abort/i);
    expect(existsSync(nowhere)).toBe(false);
  });

  it('the name of a reward that is not there is no name', async () => {
    const named = parseParameters({ ...parameters, reward: 'restless' });
    await expect(drain(runExperiment(named, { root }))).rejects.toThrow(
      /^there is no reward "restless": built in/,
    );
  });
});

it('a folder of a run from before labels were recorded still opens', async () => {
  const { modelDirectory, outputDirectory } = await follow(() =>
    runExperiment({ ...parameters, iterations: 1 }, { root: newFolder() }),
  );
  const file = join(modelDirectory, 'run.json');
  const { reward: _, ...record } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(record));
  expect(readFileSync(await writeReport(outputDirectory), 'utf8')).toContain('even tokens (0 to 5)');
});

describe('other parts of its own', () => {
  /** Writes the codes 0, 1, ... as many as the sample's number says, whatever the policy. */
  const counting = (_policy: Policy): Sampler => ({
    async *sample(prompts, { samplesPerPrompt }) {
      for (const promptIndex of prompts.keys())
        for (let sampleIndex = 0; sampleIndex < samplesPerPrompt; sampleIndex++)
          yield {
            ...{ type: 'completion', promptIndex, sampleIndex, finished: true },
            codes: [...Array(sampleIndex + 1).keys()],
          };
    },
    release: () => Promise.resolve(),
  });

  it('a sampler and prompts are used, and asked for again', async () => {
    const all = await loadPrompts('default', { codebooks: 8, codebookSize: 256 });
    const prompts = { train: all.train.slice(7, 9), test: all.test.slice(5, 6) };
    const run = await follow(
      (signal) =>
        runExperiment(parameters, {
          ...{ root: newFolder(), prompts, signal },
          ...{ reward: restless, sampler: counting },
        }),
      'saved',
    );
    const data = JSON.parse(readFileSync(join(run.outputDirectory, 'data_iter_0.json'), 'utf8')) as {
      prompt: string[];
      chosen: string[];
      rejected: string[];
    };
    expect(data.prompt.map((text) => /<s>(.*?)<\/s>/.exec(text)![1])).toEqual(
      prompts.train.map(({ instruction }) => instruction),
    );
    expect(data.chosen).toEqual(Array(2).fill('v_tok_0v_tok_1v_tok_2'));
    expect(data.rejected).toEqual(Array(2).fill('v_tok_0'));
    await expect(drain(resumeExperiment(run.modelDirectory, { reward: restless, prompts }))).rejects.toThrow(
      `run ${run.run} began with a sampler of its own: give the same again`,
    );
    await drain(resumeExperiment(run.modelDirectory, { reward: restless, prompts, sampler: counting }));

    const { parameters: given, ...evaluated } = await checkpointParameters(run.modelDirectory, {});
    const asked = { split: 'test', indices: [0], samplesPerPrompt: 1, root: newFolder() } as const;
    const told: string[] = [];
    const onNotice = (sentence: string) => void told.push(sentence);
    await drain(evaluateCheckpoint(given, { ...evaluated, ...asked, reward: restless, onNotice }));
    expect(told).toEqual([
      `run ${run.run} was given its prompts by the program that made it: this evaluation is on those of the model ${model}.`,
      `run ${run.run} was given its sampler by the program that made it: this evaluation samples the policy as a run without one does.`,
    ]);
  });

  it('a codec is used, and no other makes sound of what its run wrote', async () => {
    const codec: Codec = {
      ...{ codebooks: 8, codebookSize: 256, sampleRateHz: 16_000, frameRateHz: 50 },
      encode: (samples) => Promise.resolve(Array(8).fill(Array(Math.ceil(samples.length / 320)).fill(1))),
      decode: ([codes]) => Promise.resolve(new Float32Array(320 * codes.length).fill(0.1)),
      dispose: () => Promise.resolve(),
    };
    const once = { ...parameters, iterations: 1 };
    const run = await follow(() => runExperiment(once, { root: newFolder(), reward: restless, codec }));
    const evaluate = async (reward: Reward) => {
      const path = join(run.modelDirectory, 'iter_0');
      const { parameters: given, ...evaluated } = await checkpointParameters(path, { reward: reward.name });
      const asked = { split: 'test', indices: [0], samplesPerPrompt: 1, root: newFolder() } as const;
      await drain(evaluateCheckpoint(given, { ...evaluated, ...asked, reward }));
    };
    await evaluate(restless);
    await expect(evaluate({ ...restless, listens: true })).rejects.toThrow(
      `run ${run.run} was given its codec by the program that made it, so its samples cannot be made audible here`,
    );
    const wav = join(newFolder(), 'in.wav');
    writeFileSync(wav, encodeWav(new Float32Array(8000).fill(0.1), 16_000));
    const output = join(newFolder(), 'out.wav');
    const edit = { wav, output, instruction: 'Faster.', seed: 1, temperature: 1, maxNewTokens: 10 };
    await expect(editRecording({ ...edit, policy: run.modelDirectory })).rejects.toThrow(
      /was given its codec by .* cannot be made audible here: name one that reads its codes, as --codec/,
    );
    expect(existsSync(output)).toBe(false);
    await editRecording({ ...edit, policy: run.modelDirectory, codec: 'default' });
    expect(existsSync(output)).toBe(true);
  });

  it("an edit by a run's checkpoint has the run's model, partner and codec unless others are named", async () => {
    const own = newFolder();
    await writeTinyModel(own);
    const named = { ...parameters, iterations: 1, nar: join(own, 'nar'), codec: join(own, 'codec') };
    const { modelDirectory } = await follow(() => runExperiment(named, { root: newFolder() }));
    const wav = join(newFolder(), 'in.wav');
    writeFileSync(wav, encodeWav(new Float32Array(8000).fill(0.1), 16_000));
    const edit = (given: Partial<EditOptions>) =>
      editRecording({
        ...{ wav, output: join(newFolder(), 'out.wav'), policy: modelDirectory },
        ...{ instruction: 'Faster.', seed: 1, temperature: 1, maxNewTokens: 10, ...given },
      });
    expect(await edit({ maxNewTokens: 1 })).toHaveProperty('cutBy', 'maxNewTokens');
    expect(await edit({ maxNewTokens: 1000 })).not.toHaveProperty('cutBy');
    rmSync(join(own, 'codec'), { recursive: true });
    await expect(edit({})).rejects.toThrow(join(own, 'codec'));
    await edit({ codec: 'default' });
    rmSync(join(own, 'nar'), { recursive: true });
    await expect(edit({ codec: 'default' })).rejects.toThrow(join(own, 'nar'));
    await edit({ model: 'default' });
  });

  it('what went wrong is told, also where the sampler cannot be released after it', async () => {
    const sampler = (policy: Policy): Sampler => ({
      ...counting(policy),
      release: () => Promise.reject(new Error('not released')),
    });
    const failing: Reward = { ...restless, score: () => Promise.reject(new Error('no network')) };
    const run = (reward: Reward) => drain(runExperiment(parameters, { root: newFolder(), reward, sampler }));
    await expect(run(failing)).rejects.toThrow(/^the restless reward fails at .*: no network$/);
    await expect(run(restless)).rejects.toThrow(/^not released$/);
  });

  const prompt = { instruction: 'Faster', src_encodec: [[1]], tgt_encodec: [[1]] };
  const list = 'they must be an object { train, test } of two lists';
  it.each<[unknown, string]>([
    [{ prompts: [prompt] }, `the prompts that are given cannot be used: ${list}`],
    [
      { prompts: { train: ['Faster'], test: [prompt] } },
      'train[0]: invalid input: expected object, received string',
    ],
    [{ prompts: { train: [prompt] } }, 'test: invalid input: expected array, received undefined'],
    [{ sampler: {} }, 'it must be a function that makes an object { sample, release } of a policy'],
    [{ sampler: () => ({}) }, 'it must be a function that makes an object { sample, release } of a policy'],
    [{ codec: { codebooks: 8, codebookSize: 256, sampleRateHz: 24_000 } }, 'it must have a function decode'],
    [{ guards: ['dnsmos'] }, 'they must be a list of objects { figures, measure }'],
    [{ device: 'cpu' }, 'the device that is given is none: new CpuDevice() makes one'],
  ])('%j is refused in a sentence before anything is written', async (given, message) => {
    const root = newFolder();
    const running = drain(runExperiment(parameters, { root, ...(given as object) }));
    const error: unknown = await running.catch((reason: unknown) => reason);
    expect(isPlainError(error)).toBe(true);
    expect((error as Error).message).toContain(message);
    expect(readdirSync(root)).toEqual([]);
  });

  it('parameters that were not parsed are', async () => {
    const run = (given: object) =>
      drain(runExperiment(given as Parameters, { root: newFolder(), reward: restless, sampler: counting }));
    await expect(run({ model, iteration: 1 })).rejects.toThrow(/iteration/);
    await expect(run({ model, trainPrompts: 1000 })).rejects.toThrow('1000 train prompts are asked for');
  });

  it.each<[object, string]>([
    [{ promptIndex: 9 }, 'sample 0 of prompt 9: samples are numbered 0 to 2, and prompts 0 to 1'],
    [
      { sampleIndex: undefined },
      'sample undefined of prompt 0: samples are numbered 0 to 2, and prompts 0 to 1',
    ],
    [{ sampleIndex: 0 }, 'sample 0 of prompt 0 twice'],
    [{ codes: undefined }, 'sample 0 of prompt 0 without codes, which must be a list of numbers'],
  ])('a sampler that writes %j is told so', async (change, message) => {
    const sampler = (policy: Policy): Sampler => ({
      ...counting(policy),
      async *sample(prompts, options) {
        for await (const event of counting(policy).sample(prompts, options)) yield { ...event, ...change };
      },
    });
    await expect(
      drain(runExperiment(parameters, { root: newFolder(), reward: restless, sampler })),
    ).rejects.toThrow(`the sampler wrote ${message}`);
  });
});

describe('loadReward', () => {
  const folder = newFolder();
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('takes the default export of a module', async () => {
    const file = write(
      'short.mjs',
      "export default { name: 'short', label: 'shortness', score: async (all) => all.map(({ codes }) => ({ reward: -codes.length })) };",
    );
    expect(await loadReward(file)).toMatchObject({ name: 'short', label: 'shortness' });
  });

  it.each([
    ['nothing.mjs', undefined, /^there is no file .*nothing\.mjs to load a reward from\.$/],
    ['none.mjs', 'export const reward = 1;', /none\.mjs has no default export/],
    ['number.mjs', 'export default 1;', /^the default export of .*number\.mjs is no reward: /],
    ['unnamed.mjs', 'export default { label: "a", score() {} };', /is no reward: name: /],
    [
      'function.mjs',
      'export default () => 1;',
      /is no reward: it must be an object \{ name, label, score \}; .* rewardOf\(/,
    ],
    ['wrong.mjs', 'export default {', /^.*wrong\.mjs cannot be loaded: /],
    ['null.mjs', 'throw null;', /null\.mjs cannot be loaded: null$/],
  ])('says what is wrong with %s', async (name, text, message) => {
    const file = text === undefined ? join(folder, name) : write(name, text);
    await expect(loadReward(file)).rejects.toThrow(message);
  });

  it('takes no folder for a file', async () => {
    mkdirSync(join(folder, 'folder.mjs'));
    await expect(loadReward(join(folder, 'folder.mjs'))).rejects.toThrow(
      /^there is no file .*folder\.mjs to load a reward from\.$/,
    );
  });

  it('tells what a reward can be', async () => {
    await expect(loadReward('vowels')).rejects.toThrow(
      /^there is no reward "vowels": built in are even-token, length, mos.*, nisqa, dnsmos, nisqa-mos-only; one of your own/,
    );
  });
});
