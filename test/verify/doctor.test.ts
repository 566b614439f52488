/** What the doctor finds, and whether it notices what does not work. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { CpuDevice } from '../../lib/engine/index.js';
import { examineDevices, findingOf } from '../../lib/verify/doctor/devices.js';
import { findingSchema, isNeeded, type Finding } from '../../lib/verify/doctor/finding.js';
import { examineDisk, nodeFinding } from '../../lib/verify/doctor/needed.js';
import { examineScores } from '../../lib/verify/doctor/scores.js';
import { examineQueue, examineTools } from '../../lib/verify/doctor/tools.js';
import {
  distanceOf,
  gradientDistance,
  isWithinNoise,
  measureDevice,
  measureInJavaScript,
  type DeviceNumbers,
} from '../../lib/verify/doctor/self-test.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const cpu = new CpuDevice(1);
let numbers: DeviceNumbers;
beforeAll(async () => {
  numbers = await measureDevice(cpu);
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => cpu.close());

it('the packages of a queue are there, or named with the command that brings them', async () => {
  expect(await examineQueue()).toMatchObject({
    state: 'ok',
    found: 'BullMQ for Redis (ioredis) and PostgreSQL (pg)',
  });
  vi.doMock('bullmq', () => {
    throw new Error('not installed');
  });
  expect(await examineQueue()).toMatchObject({ state: 'missing', mend: 'npm install bullmq@6 ioredis@5' });
  vi.doUnmock('bullmq');
});

it('programs that a variable names wrongly are broken, and no installation mends them', async () => {
  vi.stubEnv('SPEECH_DPO_PYTHON', join(temporaryFolder(), 'python'));
  vi.stubEnv('CHROMIUM', join(temporaryFolder(), 'chromium'));
  const findings = await collect(examineTools());
  const found = new Map(findings.map(({ name, state, mend }) => [name, [state, mend]]));
  expect(found.get('Python')).toEqual(['broken', 'unset SPEECH_DPO_PYTHON']);
  expect(found.get('Chromium')).toEqual(['broken', 'unset CHROMIUM']);
});

const collect = async (findings: AsyncIterable<Finding>) => {
  const all: Finding[] = [];
  for await (const finding of findings) all.push(findingSchema.parse(finding));
  return all;
};

describe('the self-test', () => {
  it('covers every weight, trains, and samples', () => {
    expect(numbers.gradients.size).toBeGreaterThan(40);
    for (const [name, gradient] of numbers.gradients) expect(gradient.some(Boolean), name).toBe(true);
    expect(numbers.logps).toHaveLength(3 * 2 * 2);
    expect(new Set(numbers.logps).size).toBe(12);
    expect(numbers.codes).toHaveLength(4);
    expect(new Set(numbers.codes.map(String)).size).toBe(4);
  });

  it('finds the CPU where TensorFlow.js is, op by op in JavaScript', async () => {
    expect(gradientDistance(numbers.gradients, await measureInJavaScript())).toBeLessThan(1e-5);
  });

  it('holds a device to float32’s rounding', async () => {
    expect(distanceOf(numbers, await measureDevice(cpu))).toEqual({
      ...{ gradients: 0, logps: 0, sameTokens: true },
    });
    const [first, ...others] = [...numbers.gradients];
    const off = (factor: number) =>
      new Map([[first[0], first[1].map((value) => value * factor)] as const, ...others]);
    const changed = (change: Partial<DeviceNumbers>) => distanceOf({ ...numbers, ...change }, numbers);
    expect(isWithinNoise(changed({ gradients: off(1 + 1e-5) }))).toBe(true);
    expect(isWithinNoise(changed({ gradients: off(1 + 1e-3) }))).toBe(false);
    expect(isWithinNoise(changed({ gradients: off(NaN) }))).toBe(false);
    expect(isWithinNoise(changed({ gradients: new Map(others) }))).toBe(false);
    expect(isWithinNoise(changed({ logps: numbers.logps.map((value) => value + 1e-5) }))).toBe(true);
    expect(isWithinNoise(changed({ logps: numbers.logps.map((value) => value + 1e-3) }))).toBe(false);
    expect(isWithinNoise(changed({ logps: [] }))).toBe(false);
    expect(isWithinNoise(changed({ codes: [[1], ...numbers.codes.slice(1)] }))).toBe(false);
  });
});

describe('a device', () => {
  it('that agrees with the CPU works', () => {
    const message = { description: 'a GPU by CUDA, float32', seconds: 1.23, numbers };
    expect(findingOf('cuda', message, numbers)).toEqual({
      ...{ group: 'devices', name: 'cuda', state: 'ok' },
      found: "a GPU by CUDA, float32: gradients within 0e+0 of the CPU's, the same tokens (1.2 s)",
      selfTest: { seconds: 1.23, gradients: 0, logps: 0, sameTokens: true },
    });
    expect(findingOf('cuda', { ...message, notices: ['it is slow'] }, numbers).found).toMatch(
      /the same tokens \(1\.2 s\); it is slow$/,
    );
  });

  it('that does not is broken', () => {
    const wrong = { ...numbers, codes: [], logps: [] };
    const finding = findingOf('webgpu', { description: 'a GPU', seconds: 1, numbers: wrong }, numbers);
    expect(finding).toMatchObject({
      state: 'broken',
      found:
        "a GPU: it computes other numbers than the CPU: gradients within 0e+0 of the CPU's, other tokens (1.0 s)",
      selfTest: { logps: null, sameTokens: false },
    });
    expect(findingSchema.parse(JSON.parse(JSON.stringify(finding)))).toEqual(finding);
  });

  it('that is missing says what mends it, in the words of its sentence', () => {
    const missing = 'there is no library: `npm run gpu` fetches it';
    expect(findingOf('cuda', { missing }, numbers)).toMatchObject({
      ...{ state: 'missing', found: missing, mend: 'npm run gpu' },
    });
    expect(findingOf('webgpu', { missing: 'no adapter' }, numbers)).not.toHaveProperty('mend');
    expect(findingOf('cuda', { broken: 'its self-test ended with SIGSEGV' }, numbers).state).toBe('broken');
  });

  it('is tried on this machine, the CPU first, each with its state; the one that SPEECH_DPO_DEVICE names is needed', async () => {
    vi.stubEnv('SPEECH_DPO_DEVICE', 'gpu');
    const findings = await collect(examineDevices());
    expect(findings.map(({ name }) => name)).toEqual(['cpu', 'cuda', 'webgpu', 'tensorflow', 'auto']);
    expect(findings[0]).toMatchObject({ state: 'ok', selfTest: { logps: null } });
    for (const { found } of findings.slice(0, 4)) expect(found).not.toMatch(/\n|self-test/);
    const named = findings[4];
    expect(named).toMatchObject({ name: 'auto', state: 'broken', mend: 'unset SPEECH_DPO_DEVICE' });
    expect(named.found).toContain('SPEECH_DPO_DEVICE is "gpu"; it can be auto, cpu');
    expect(isNeeded(named)).toBe(true);
  });
});

async function* failing() {
  await Promise.resolve();
  throw new Error('it is damaged');
}

describe('what every run needs', () => {
  const range = { least: 20, minor: 15, beyond: 25 };
  it.each([
    ['20.15.0', 'ok'],
    ['24.1.0', 'ok'],
    ['20.14.9', 'broken'],
    ['25.0.0', 'broken'],
    ['18.20.1', 'broken'],
  ])('Node.js %s: %s', (version, state) => {
    const finding = nodeFinding(version, range, 'linux x64');
    expect(finding.state).toBe(state);
    expect(finding.mend).toBe(state === 'ok' ? undefined : 'nvm install 24');
  });

  it('a model that fails is told of, and not what could not be released after it', async () => {
    vi.resetModules();
    vi.doMock('../../lib/jobs/open.js', async (importOriginal) => ({
      ...(await importOriginal<object>()),
      openModel: () =>
        Promise.resolve({
          sampler: { sample: () => failing() },
          [Symbol.asyncDispose]: () => Promise.reject(new Error('not released')),
        }),
    }));
    const { examineNeeds } = await import('../../lib/verify/doctor/needed.js');
    vi.doUnmock('../../lib/jobs/open.js');
    const findings = await collect(examineNeeds());
    expect(findings.at(-1)).toMatchObject({ name: 'model', state: 'broken', found: 'it is damaged' });
  });

  it('room on the disk', async () => {
    const folder = temporaryFolder();
    expect(await examineDisk(folder, 0)).toMatchObject({ state: 'ok' });
    expect(await examineDisk(folder, Infinity)).toMatchObject({ state: 'broken' });
  });
});

describe('scores', () => {
  it('that are not here are missing, with the command that fetches them; nothing is fetched', async () => {
    const cache = temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', cache);
    vi.stubEnv('HF_HOME', '');
    vi.stubEnv('NISQA_WEIGHTS', '');
    vi.stubEnv('DNSMOS_WEIGHTS', '');
    vi.stubEnv('WHISPER_MODEL', '');
    vi.stubEnv('HF_HUB_OFFLINE', '');
    for (const variable of ['NISQA_TTS_WEIGHTS', 'NISQA_MOS_ONLY_WEIGHTS', 'RESEMBLYZER_WEIGHTS'])
      vi.stubEnv(variable, '');
    const findings = await collect(examineScores());
    expect(findings.map(({ name, state, mend }) => [name, state, mend])).toEqual([
      ['NISQA', 'missing', 'npm run weights -- nisqa'],
      ['DNSMOS', 'missing', 'npm run weights -- dnsmos'],
      ['Whisper', 'missing', 'npm run weights -- transcript'],
      ['NISQA-TTS', 'missing', 'npm run weights -- naturalness'],
      ['NISQA-MOS', 'missing', 'npm run weights -- nisqa-mos-only'],
      ['Resemblyzer', 'missing', 'npm run weights -- similarity'],
    ]);
    expect(findings[0].found).toBe(`no weights at ${join(cache, 'speech-dpo', 'nisqa.tar')}`);
  });

  it('that are damaged are broken', async () => {
    const folder = temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', folder);
    writeFileSync(join(folder, 'nisqa.tar'), 'no weights');
    vi.stubEnv('NISQA_WEIGHTS', join(folder, 'nisqa.tar'));
    vi.stubEnv('DNSMOS_WEIGHTS', join(folder, 'nowhere'));
    const model = join(folder, 'whisper');
    mkdirSync(model);
    vi.stubEnv('WHISPER_MODEL', model);
    const [nisqa, dnsmos, whisper] = await collect(examineScores());
    expect(nisqa).toMatchObject({ state: 'broken', mend: 'unset NISQA_WEIGHTS' });
    expect(nisqa.found).toContain(join(folder, 'nisqa.tar'));
    expect(dnsmos.found).toContain('DNSMOS_WEIGHTS is');
    expect(whisper).toMatchObject({ state: 'broken' });
    expect(whisper.found).toContain('no Whisper model with ONNX weights');
  });
});
