import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { describeFolder } from '../../lib/farm/files/manifest.js';
import { cutRequest } from '../../lib/farm/item.js';
import { compareMerged, mergeCheckpoint } from '../../lib/jobs/merge.js';
import { openPolicyToTrain } from '../../lib/jobs/policy-to-train.js';
import { resumeExperiment } from '../../lib/jobs/resume.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { openSamplesWork } from '../../lib/jobs/samples-work.js';
import { trainFrom, trainingParameters } from '../../lib/jobs/train-from.js';
import { adapterWeights, addAdapter, mergeAdapter, mergedWeights } from '../../lib/policy/lora.js';
import { loadPolicy, savePolicy } from '../../lib/policy/policy.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { device } from '../support/device.js';
import { readRunFiles } from '../support/interrupted-run.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const LORA = { loraRank: 2, loraAlpha: 4, loraTargets: 'q_proj, v_proj, fc1' };

let folder: string;
let model: string;
/** A run of two iterations, undisturbed. */
let root: string;
let modelDirectory: string;
const checkpoint = (iteration: number) => join(modelDirectory, `iter_${iteration}`, 'dpo_model');

const parameters = () =>
  parseParameters({
    model,
    iterations: 2,
    trainPrompts: 3,
    testPrompts: 1,
    audioPrompts: 0,
    sampleSize: 4,
    numEval: 1,
    maxNewTokens: 16,
    epochs: 2,
    batchSize: 2,
    gradientAccumulationSteps: 2,
    learningRate: 5e-2,
    checkpointMinutes: 0,
    seed: 7,
    ...LORA,
  });

async function finish(events: AsyncGenerator<RunEvent>, onEvent?: (event: RunEvent) => void) {
  let directories = { modelDirectory: '', outputDirectory: '' };
  for await (const event of events) {
    if (event.type === 'started') directories = event;
    onEvent?.(event);
  }
  return directories;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'speech-dpo-lora-'));
  model = join(folder, 'model');
  await writeTinyModel(model);
  root = join(folder, 'run');
  ({ modelDirectory } = await finish(runExperiment(parameters(), { root, device })));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("saves each iteration's adapter as PEFT does, which goes on from the one before", async () => {
  expect(readdirSync(checkpoint(1)).sort()).toEqual(
    ['README.md', 'SHA256SUMS', 'adapter_config.json', 'adapter_model.safetensors'].concat(
      readdirSync(join(model, 'policy')).filter((name) => /token|vocab|merges/.test(name)),
    ),
  );
  const config = JSON.parse(readFileSync(join(checkpoint(1), 'adapter_config.json'), 'utf8')) as object;
  expect(config).toMatchObject({
    peft_type: 'LORA',
    task_type: 'SEQ_2_SEQ_LM',
    r: 2,
    lora_alpha: 4,
    lora_dropout: 0,
    target_modules: ['q_proj', 'v_proj', 'fc1'],
    base_model_name_or_path: join(model, 'policy'),
    bias: 'none',
  });
  const tensors = await readSafetensors(join(checkpoint(1), 'adapter_model.safetensors'));
  const attention = [
    'encoder.layers.0.self_attn',
    'decoder.layers.0.self_attn',
    'decoder.layers.0.encoder_attn',
  ];
  const layers = [
    ...attention.flatMap((name) => [`${name}.q_proj`, `${name}.v_proj`]),
    ...['encoder', 'decoder'].map((part) => `${part}.layers.0.fc1`),
  ];
  expect([...tensors.keys()].sort()).toEqual(
    layers
      .flatMap((layer) => ['A', 'B'].map((letter) => `base_model.model.model.${layer}.lora_${letter}.weight`))
      .sort(),
  );
  const [first, second] = [await loadPolicy(checkpoint(0)), await loadPolicy(checkpoint(1))];
  const fresh = await openPolicyToTrain(parameters(), device, {});
  // Workers fetch it from there.
  expect(fresh.baseDirectory).toBe(join(model, 'policy'));
  for (const [name, { data }] of adapterWeights(second)) {
    expect(data, name).not.toEqual(first.weights.get(name)!.data);
    // It was never anew: an adapter that is trained for some steps is near its start, and A of another seed is not.
    if (!name.includes('lora_A')) continue;
    const distance = Math.hypot(...data.map((value, i) => value - fresh.weights.get(name)!.data[i]));
    expect(distance, name).toBeLessThan(Math.hypot(...fresh.weights.get(name)!.data));
  }
  const base = await loadPolicy(join(model, 'policy'));
  for (const [name, { data }] of base.weights) expect(second.weights.get(name)!.data).toEqual(data);
  const card = readFileSync(join(checkpoint(1), 'README.md'), 'utf8');
  expect(card).toContain('library_name: peft');
  expect(card).toContain('This is a LoRA adapter (rank 2, alpha 4, of `q_proj, v_proj, fc1`)');
  expect(card).toContain('npx speech-dpo merge dpo_model --output merged');
});

it('comes to the same bytes when it is interrupted in its second training and resumed', async () => {
  const output = temporaryFolder();
  const stop = new AbortController();
  let directory = '';
  const interrupted = finish(
    runExperiment(parameters(), { root: output, device, signal: stop.signal }),
    (event) => {
      if (event.type === 'started') directory = event.modelDirectory;
      if (event.type === 'step' && event.iteration === 1) stop.abort(new Error('stopped by the test'));
    },
  );
  await expect(interrupted).rejects.toThrow('stopped by the test');
  const states = readdirSync(join(directory, 'iter_1', 'training'));
  expect(states).toEqual(['step_1']);
  const state = await readSafetensors(join(directory, 'iter_1', 'training', 'step_1', 'state.safetensors'));
  expect(
    [...state.keys()].every((name) => /^(parameter|mean|square)\/.*\.lora_[AB]\.weight$/.test(name)),
  ).toBe(true);
  await finish(resumeExperiment(directory, { device }));
  const [files, expected] = [readRunFiles(output), readRunFiles(root)];
  expect([...files.keys()]).toEqual([...expected.keys()]);
  for (const [path, content] of expected) expect(files.get(path) === content, path).toBe(true);
});

it("trains a run's first adapter on its second pairs to its second adapter, bit for bit", async () => {
  const pairs = join(modelDirectory.replace('model_output', 'output'), 'data_iter_1.json');
  const given = await trainingParameters(pairs, { policy: checkpoint(0) });
  const again = await finish(trainFrom(pairs, given, { root: temporaryFolder(), device }));
  const trained = join(again.modelDirectory, 'iter_1', 'dpo_model');
  for (const name of ['adapter_model.safetensors', 'adapter_config.json'])
    expect(readFileSync(join(trained, name)).equals(readFileSync(join(checkpoint(1), name))), name).toBe(
      true,
    );

  // Without an adapter all weights of the merged policy are trained.
  const told: string[] = [];
  const whole = await openPolicyToTrain({ ...given, loraRank: 0 }, device, {
    onNotice: (notice) => told.push(notice),
  });
  expect(told.join()).toContain(
    '--lora-rank 2 --lora-alpha 4 --lora-targets fc1,q_proj,v_proj trains the adapter on',
  );
  expect(whole.adapter).toBeUndefined();
  expect(whole.weights).toEqual(mergeAdapter(await loadPolicy(checkpoint(0))).weights);
  await expect(openPolicyToTrain({ ...given, loraRank: 3 }, device, {})).rejects.toThrow(
    'has an adapter of another kind than is asked for: train that one on (--lora-rank 2 --lora-alpha 4 --lora-targets fc1,q_proj,v_proj)',
  );
});

it('merges an adapter into a whole checkpoint, and refuses what is not the same', async () => {
  const output = join(temporaryFolder(), 'merged');
  const { difference, tolerance } = await mergeCheckpoint({ adapter: checkpoint(1), output, device });
  expect(difference).toBeGreaterThan(0);
  expect(difference).toBeLessThan(tolerance);
  const adapted = await loadPolicy(checkpoint(1));
  const read = await loadPolicy(output);
  expect(read.adapter).toBeUndefined();
  expect(read.weights).toEqual(mergedWeights(adapted));
  await expect(mergeCheckpoint({ adapter: output, output: `${output}2`, device })).rejects.toThrow(
    'is a whole checkpoint already: it has no adapter to merge',
  );
  await expect(mergeCheckpoint({ adapter: checkpoint(1), output: checkpoint(1), device })).rejects.toThrow(
    'is what is merged: give another folder',
  );
  const again = { adapter: checkpoint(0), output, device };
  await expect(mergeCheckpoint(again)).rejects.toThrow(
    `${output} is there already, and not empty: name another folder with --output, or replace a checkpoint that is there with --overwrite`,
  );
  expect((await loadPolicy(output)).weights).toEqual(read.weights);
  await mergeCheckpoint({ ...again, overwrite: true });
  expect((await loadPolicy(output)).weights).not.toEqual(read.weights);

  // So is an adapter of a partner, which is a policy nowhere else.
  const partner = join(temporaryFolder(), 'nar');
  cpSync(join(model, 'nar'), partner, { recursive: true });
  expect(JSON.parse(readFileSync(join(partner, 'config.json'), 'utf8'))).toHaveProperty('partner', true);
  const ofPartner = join(temporaryFolder(), 'adapter');
  cpSync(checkpoint(1), ofPartner, { recursive: true });
  const description = join(ofPartner, 'adapter_config.json');
  const said = JSON.parse(readFileSync(description, 'utf8')) as object;
  writeFileSync(description, JSON.stringify({ ...said, base_model_name_or_path: partner }));
  const mergedPartner = join(temporaryFolder(), 'merged');
  await mergeCheckpoint({ adapter: ofPartner, output: mergedPartner, device });
  expect((await loadPolicy(mergedPartner)).config).toHaveProperty('partner', true);
  await expect(
    openPolicyToTrain({ ...parameters(), policy: mergedPartner, loraRank: 0 }, device, {}),
  ).rejects.toThrow('holds a partner, which writes codebooks 1 and up, and no policy');

  // One layer that was forgotten shows.
  const name = 'model.decoder.layers.0.fc1.weight';
  const forgotten = { ...read, weights: new Map(read.weights).set(name, adapted.weights.get(name)!) };
  const found = await compareMerged(adapted, forgotten, device);
  expect(found.difference).toBeGreaterThan(10 * found.tolerance);
});

it('is opened by what its folder says, or told what is wrong with it', async () => {
  const copy = join(temporaryFolder(), 'adapter');
  cpSync(checkpoint(0), copy, { recursive: true });
  const file = join(copy, 'adapter_config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as object;
  const change = (changes: object) => writeFileSync(file, JSON.stringify({ ...config, ...changes }));

  for (const name of ['tokenizer.json', 'vocab.json', 'merges.txt'])
    rmSync(join(copy, name), { force: true });
  const opened = await loadPolicy(copy);
  expect(opened.baseDirectory).toBe(join(model, 'policy'));
  expect(opened.tokenizer.firstCodeId).toBe((await loadPolicy(join(model, 'policy'))).tokenizer.firstCodeId);
  // Saved again it has the tokenizer.
  const folder = join(model, 'policy');
  // Its base would be gone, without which it is nothing.
  for (const adapted of [opened, addAdapter(await loadPolicy(folder), opened.adapter!, 1)])
    await expect(savePolicy(adapted, folder)).rejects.toThrow(
      `${folder} holds what the adapter is trained on, and an adapter alone in its place would be of no use: save it in another folder, or save mergeAdapter(policy)`,
    );
  await savePolicy(opened, join(copy, '..', 'again'));
  expect(existsSync(join(copy, '..', 'again', 'tokenizer.json'))).toBe(true);

  change({ base_model_name_or_path: '/nowhere/base' });
  await expect(loadPolicy(copy)).rejects.toThrow(
    `${copy} is an adapter of /nowhere/base, which cannot be had: /nowhere/base does not exist; put it there, or give another file or folder. If that model lies elsewhere, write its folder into base_model_name_or_path of ${file}.`,
  );
  change({ base_model_name_or_path: 'someone/base', revision: 'v1' });
  await expect(loadPolicy(copy)).rejects.toThrow('is an adapter of someone/base@v1, which cannot be had');
  change({ base_model_name_or_path: 'someone/base@v2', revision: 'v1' });
  await expect(loadPolicy(copy)).rejects.toThrow('is an adapter of someone/base@v2, which cannot be had');
  // A folder has no versions.
  change({ base_model_name_or_path: join(model, 'policy'), revision: 'main' });
  expect((await loadPolicy(copy)).baseDirectory).toBe(join(model, 'policy'));
  change({ base_model_name_or_path: null });
  await expect(loadPolicy(copy)).rejects.toThrow(`${file} does not say what it is an adapter of`);
  change({ base_model_name_or_path: checkpoint(1) });
  await expect(loadPolicy(copy)).rejects.toThrow('which is an adapter itself: merge that first');
  change({ use_dora: true });
  await expect(loadPolicy(copy)).rejects.toThrow(`${file}: use_dora: only false is computed here.`);
  change({ peft_type: 'IA3' });
  await expect(loadPolicy(copy)).rejects.toThrow(`${file}: peft_type: only LORA is computed here.`);
  change({ rank_pattern: { fc1: 4 } });
  await expect(loadPolicy(copy)).rejects.toThrow(`${file}: rank_pattern: only null is computed here`);
  // Each would make another network of the same tensors.
  const others = {
    bias: 'all',
    fan_in_fan_out: true,
    use_rslora: true,
    lora_bias: true,
    modules_to_save: ['lm_head'],
    alpha_pattern: { fc1: 4 },
    layers_to_transform: [0],
    layer_replication: [[0, 1]],
    exclude_modules: ['fc1'],
    trainable_token_indices: [1],
  };
  for (const [name, value] of Object.entries(others)) {
    change({ [name]: value });
    await expect(loadPolicy(copy)).rejects.toThrow(`${file}: ${name}: only `);
  }
  change({ target_modules: '.*fc1' });
  await expect(loadPolicy(copy)).rejects.toThrow(
    `${file}: target_modules: only a list of names is read here.`,
  );
  change({ r: 3 });
  await expect(loadPolicy(copy)).rejects.toThrow(/has shape \[2, 8\], adapter_config.json asks for \[3, 8\]/);
  change({ target_modules: ['fc1'] });
  await expect(loadPolicy(copy)).rejects.toThrow(
    'is not part of the LoRA adapter that adapter_config.json describes',
  );
  change({ target_modules: ['fc3'] });
  await expect(loadPolicy(copy)).rejects.toThrow('no linear layer of this BART is called "fc3"');
  change({});
  rmSync(join(copy, 'adapter_model.safetensors'));
  await expect(loadPolicy(copy)).rejects.toThrow(
    'has no weights: neither adapter_model.safetensors nor adapter_model.bin',
  );
});

it('is sampled by a worker that is sent the base apart, as this machine samples it', async () => {
  // The base lies elsewhere at the worker.
  const moved = join(temporaryFolder(), 'base');
  cpSync(join(model, 'policy'), moved, { recursive: true });
  const adapter = join(temporaryFolder(), 'adapter');
  cpSync(checkpoint(1), adapter, { recursive: true });
  const file = join(adapter, 'adapter_config.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(join(model, 'policy'), '/nowhere/base'));
  const rules = { temperature: 1, topK: 0, topP: 1, maxNewTokens: 12 };
  const sample = async (base: string | undefined, policy: string) => {
    await using work = await openSamplesWork(
      {
        kind: 'samples',
        rules,
        int8: false,
        ...(base !== undefined && { base: await describeFolder(base) }),
        speech: null,
        reward: { name: 'even-token', rewardModel: 'nisqa' },
        guards: [],
        transcriber: null,
      },
      { device, rewards: [] },
    );
    const item = { src_encodec: [[1, 2, 3]], tgt_encodec: [[1, 2, 3]], instruction: 'Make it faster.' };
    const request = {
      iteration: 0,
      stage: 'evaluate',
      split: 'test',
      prompts: [{ index: 0, item, ids: [] as number[] }],
      samplesPerPrompt: 3,
      seed: 5,
      guards: 'none',
    } as const;
    const [{ data }] = cutRequest(request, await describeFolder(policy), 'terms');
    return work.do(data);
  };
  const merged = join(temporaryFolder(), 'merged');
  await mergeCheckpoint({ adapter: checkpoint(1), output: merged, device });
  const drawn = await sample(moved, adapter);
  expect(drawn).toEqual(await sample(undefined, merged));
  expect(drawn).not.toEqual(await sample(undefined, moved));
  await expect(sample(undefined, adapter)).rejects.toThrow('which cannot be had');
});
