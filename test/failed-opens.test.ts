/** Whatever fails while something is opened leaves nothing behind in the engine, and the next try works. */
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeWav } from '../lib/audio/wav.js';
import { openCodec } from '../lib/codec/open.js';
import { causalSequences, type CausalExample } from '../lib/train/sequences.js';
import { trainSupervised, type SupervisedTask } from '../lib/train/supervised.js';
import { openTrainingState } from '../lib/train/training-state.js';
import { trainDpo } from '../lib/dpo/trainer.js';
import { CpuDevice, keepPrograms, type Compiled } from '../lib/engine/index.js';
import { openCompletionWriter } from '../lib/policy/generate.js';
import { openPartner } from '../lib/policy/partner.js';
import { runExperiment } from '../lib/jobs/experiment.js';
import { prepareDataset } from '../lib/jobs/prepare-dataset.js';
import { parseParameters } from '../lib/run/parameters.js';
import { fidelityGuard } from '../lib/reward/guard.js';
import { elementCount, type Graph } from '../lib/engine/graph.js';
import { writeOnnx } from '../lib/engine/onnx.js';
import { loadDnsmos } from '../lib/scoring/dnsmos/dnsmos.js';
import { rowsModel, windowsModel } from '../lib/scoring/dnsmos/p835-network.js';
import { loadNisqa } from '../lib/scoring/nisqa/nisqa.js';
import { scoreFiles } from '../lib/scoring/score-files.js';
import { OPTIONS, randomPairs } from './dpo/random-pairs.js';
import { copyWeights, randomPolicy } from './support/random-policy.js';
import { sharedPath } from './support/shared.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeTinyModel } from './support/tiny-model.js';
import { device } from './support/device.js';

/** How many sessions and memories are open on all devices. */
let open = 0;
/** Makes the nth session from now on fail, 0 being the next. */
let failAt = -1;

beforeEach(() => {
  [open, failAt] = [0, -1];
  const { load, call } = CpuDevice.prototype;
  vi.spyOn(CpuDevice.prototype, 'load').mockImplementation(async function (this: CpuDevice, ...args) {
    if (failAt-- === 0) throw new Error('no session');
    const session = await load.apply(this, args);
    open += 1;
    return session;
  });
  vi.spyOn(CpuDevice.prototype, 'call').mockImplementation(async function (this: CpuDevice, method, ...args) {
    const result = await call.call(this, method, ...(args as [never]));
    if (method === 'createMemory' || method === 'createSession') open += 1;
    if (method === 'releaseMemory' || method === 'releaseSession') open -= 1;
    return result as never;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const policy = randomPolicy(3, { codebooks: 2, codebookSize: 4 });

async function readAll(events: AsyncGenerator): Promise<void> {
  for await (const event of events) void event;
}

describe('training', () => {
  const train = () =>
    readAll(
      trainDpo({ ...policy, weights: copyWeights(policy.weights) }, randomPairs(policy.config, 2), OPTIONS),
    );

  it.each([0, 1])('frees its memory when program %i cannot be compiled', async (program) => {
    failAt = program;
    await expect(train()).rejects.toThrow('no session');
    expect(open).toBe(0);
    await train();
    expect(open).toBe(0);
  });

  it('supervised, likewise', async () => {
    failAt = 0;
    const weights = copyWeights(policy.weights);
    const example: CausalExample = { prompt: [4, 5], labels: [0, 1] };
    const task: SupervisedTask<CausalExample> = {
      sequences: causalSequences(policy),
      batch: () => ({ examples: [example], head: Int32Array.of(12, 13) }),
    };
    const options = { steps: 1, learningRate: 1e-3, warmupSteps: 0, weightDecay: 0, maxGradNorm: 1 };
    const training = () => readAll(trainSupervised({ ...policy, weights }, task, { device, ...options }));
    await expect(training()).rejects.toThrow('no session');
    expect(open).toBe(0);
    await training();
    expect(open).toBe(0);
  });

  it('frees its memory when the weights cannot be uploaded', async () => {
    vi.spyOn(CpuDevice.prototype, 'write').mockRejectedValueOnce(new Error('no room'));
    await expect(openTrainingState(policy.weights, device)).rejects.toThrow('no room');
    expect(open).toBe(0);
  });
});

describe('sampling', () => {
  it.each([0, 1])('keeps neither program when program %i cannot be compiled', async (program) => {
    const allowed = Int32Array.from({ length: policy.config.vocab_size }, (_, id) => id);
    const writer = openCompletionWriter(policy, { prefix: [2], allowed }, device);
    const choose = { rules: { temperature: 1, topK: 0, topP: 1 }, keys: [[1]] };
    const generate = () =>
      readAll(writer.generate([[0, 5, 2]], { samplesPerPrompt: 1, maxNewTokens: 3, choose }));
    failAt = program;
    await expect(generate()).rejects.toThrow('no session');
    expect(open).toBe(0);
    await generate();
    await writer.release();
    expect(open).toBe(0);
  });
});

describe('the partner', () => {
  const items = [{ instruction: 'a', source: [[1, 2], [3, 0]], codebook0: [1, 2, 3] }]; // prettier-ignore

  it.each([0, 1])('goes on after program %i could not be compiled, and can be closed', async (program) => {
    const partner = openPartner(policy, device);
    failAt = program;
    await expect(partner.fill(items)).rejects.toThrow('no session');
    expect(await partner.fill(items)).toHaveLength(1);
    await partner.dispose();
    expect(open).toBe(0);
  });

  it('goes on after its weights could not be lent', async () => {
    const partner = openPartner(policy, device);
    const lend = vi.spyOn(CpuDevice.prototype, 'lend').mockRejectedValueOnce(new Error('no room'));
    await expect(partner.fill(items)).rejects.toThrow('no room');
    lend.mockRestore();
    expect(await partner.fill(items)).toHaveLength(1);
    await partner.releaseWeights();
    await partner.dispose();
    expect(open).toBe(0);
  });
});

it('the codec goes on after a program could not be compiled, and can be closed', async () => {
  const codec = await openCodec('models/default/codec', device);
  const codes = Array.from({ length: codec.codebooks }, () => [1, 2]);
  failAt = 0;
  await expect(codec.decode(codes)).rejects.toThrow('no session');
  expect(await codec.decode(codes)).toHaveLength(640);
  await codec.dispose();
  expect(open).toBe(0);
});

it('the codec is closed where a recording of a dataset cannot be read', async () => {
  const wav = temporaryFolder();
  const instructions = join(wav, 'lines.txt');
  writeFileSync(instructions, 'a.wav\tLouder\nb.wav\tLouder\n');
  await writeWav(join(wav, 'a.wav'), new Float32Array(3200).fill(0.1), 16_000);
  const files = { wav, instructions, output: join(wav, 'data.jsonl') };
  const preparing = prepareDataset({ ...files, model: 'unused', codec: 'models/default/codec', device });
  await expect(preparing).rejects.toThrow('b.wav');
  expect(open).toBe(0);
});

it('a guard asks again for what could not be made of an item', async () => {
  const decode = vi.fn().mockResolvedValue(new Float32Array(8000).fill(0.1));
  decode.mockRejectedValueOnce(new Error('no room'));
  const guard = fidelityGuard({ decode, sampleRateHz: 8000 });
  const item = { src_encodec: [[1]], instruction: 'a', tgt_encodec: [[1]] };
  const audio = async () => ({ samples: new Float32Array(8000).fill(0.1), sampleRateHz: 8000 });
  await expect(guard.measure({ item, codes: [1], audio })).rejects.toThrow('no room');
  await guard.measure({ item, codes: [1], audio });
});

/** A file with the weights of DNSMOS's P.835 network, all of them 0. */
function untrainedP835(): Uint8Array {
  const constants: Graph['constants'] = new Map();
  const zeros = (name: string, shape: readonly number[]) => {
    const data = new Float32Array(elementCount(shape));
    constants.set(name, { name, shape, dtype: 'float32', data });
    return data;
  };
  rowsModel(zeros);
  windowsModel(zeros);
  return writeOnnx({ inputs: [], outputs: [], nodes: [], constants, values: new Map() });
}

describe('scorers', () => {
  it('DNSMOS frees its first network when the second is none', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'sig_bak_ovr.onnx'), untrainedP835());
    writeFileSync(join(folder, 'model_v8.onnx'), 'nothing');
    await expect(loadDnsmos(folder, { device })).rejects.toThrow('model_v8.onnx: cannot load');
    expect(open).toBe(0);
  });

  const weights = process.env.NISQA_WEIGHTS ?? sharedPath('nisqa/nisqa.tar');
  it.skipIf(!weights)('NISQA closes its workers when one has no network', async () => {
    vi.stubEnv('SPEECH_DPO_THREADS', '');
    const close = vi.spyOn(CpuDevice.prototype, 'close');
    failAt = 0;
    await expect(loadNisqa(weights)).rejects.toThrow('no session');
    expect(close).toHaveBeenCalledTimes(availableParallelism());
  });

  it.skipIf(!weights)('those that are open are closed when the next metric has no weights', async () => {
    vi.stubEnv('NISQA_WEIGHTS', weights);
    vi.stubEnv('DNSMOS_WEIGHTS', '/nowhere');
    vi.stubEnv('SPEECH_DPO_THREADS', '');
    const close = vi.spyOn(CpuDevice.prototype, 'close');
    await expect(readAll(scoreFiles(['a.wav'], { metrics: ['nisqa', 'dnsmos'] }))).rejects.toThrow(
      '/nowhere',
    );
    expect(close).toHaveBeenCalledTimes(availableParallelism());
  });
});

describe('a run', () => {
  it.each([
    ['its scorer has no weights', {}, 'NISQA weights not found'],
    [
      'its codec cannot be opened',
      { codec: 'models/default/policy' },
      'must be "spectral-codec" or "encodec"',
    ],
  ])('closes what it opened when %s, and not what it was given', async (_, changes, message) => {
    vi.stubEnv('NISQA_WEIGHTS', '/nowhere');
    const model = temporaryFolder();
    await writeTinyModel(model);
    const root = join(model, 'runs');
    const parameters = parseParameters({ model, reward: 'mos', ...changes });
    const close = vi.spyOn(CpuDevice.prototype, 'close');
    const closed = () => new Set(close.mock.contexts).size;
    await expect(readAll(runExperiment(parameters, { root }))).rejects.toThrow(message);
    const own = closed();
    await expect(readAll(runExperiment(parameters, { root, device }))).rejects.toThrow(message);
    // All but the one that was given.
    expect(closed()).toBe(2 * own - 1);
    expect(close.mock.contexts).not.toContain(device);
    expect(open).toBe(0);
    expect(existsSync(root)).toBe(false);
  });
});

describe('programs that are kept', () => {
  const program = (dispose = vi.fn(async () => undefined)) => ({ dispose }) as unknown as Compiled;

  it('are those asked for last; the others are freed', async () => {
    const programs = keepPrograms(2);
    const disposals = [0, 1, 2].map(() => vi.fn(async () => undefined));
    const get = (i: number) => programs.get(String(i), async () => program(disposals[i]));
    const first = await get(0);
    await get(1);
    expect(await get(0)).toBe(first);
    await get(2);
    expect(disposals.map(({ mock }) => mock.calls.length)).toEqual([0, 1, 0]);
    await programs.release();
    expect(disposals.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1]);
  });

  it('are all freed where one cannot be, and where one could not be compiled', async () => {
    const programs = keepPrograms(9);
    const last = vi.fn(async () => undefined);
    await programs.get('a', async () => program(last));
    await programs.get('b', async () => program(vi.fn(() => Promise.reject(new Error('stuck')))));
    await expect(programs.get('c', () => Promise.reject(new Error('no c')))).rejects.toThrow('no c');
    void programs.get('d', () => Promise.reject(new Error('no d'))).catch(() => undefined);
    await expect(programs.release()).rejects.toThrow('stuck');
    expect(last).toHaveBeenCalledOnce();
  });
});
