/** Where NISQA and DNSMOS run: with the run on a GPU by CUDA, beside any other device on a CPU thread of their own. */
import { afterAll, describe, expect, it, vi } from 'vitest';
import { CpuDevice } from '../../lib/engine/index.js';
import { computingOn } from '../../lib/jobs/open.js';
import { openNamedScorers, openReward, openScorers, runsScorers } from '../../lib/jobs/scorers.js';
import { levelGuard, type Guard } from '../../lib/reward/guard.js';
import { rewardOf, type Reward } from '../../lib/reward/reward.js';
import { describeEvaluation } from '../../lib/run/evaluation-result.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { describeRunDevice } from '../../lib/run/run-files.js';
import { doubleDevice } from '../support/double-device.js';
import { sharedPath } from '../support/shared.js';

const nisqaWeights = sharedPath('nisqa/nisqa.tar');
const cpu = new CpuDevice(1);
afterAll(async () => {
  vi.unstubAllEnvs();
  await cpu.close();
});

describe('what is said of a device', () => {
  it('names the scorers where they compute elsewhere', () => {
    const line = (name: string) =>
      describeRunDevice(
        computingOn({
          device: doubleDevice({ name, description: `a ${name}` }),
          reason: 'given',
          tf32: false,
        }),
      );
    expect(line('cuda')).toBe('a cuda (given)');
    expect(line('cpu')).toBe('a cpu (given)');
    expect(line('webgpu')).toBe('a webgpu (given); NISQA and DNSMOS: the CPU');
    expect(line('tensorflow')).toBe('a tensorflow (given); NISQA and DNSMOS: the CPU');
  });

  it('keeps evaluations on other devices apart from those on the CPU', async () => {
    const options = { split: 'test', indices: [0], samplesPerPrompt: 2 } as const;
    const describeOn = (device?: { name: string; description: string }) =>
      describeEvaluation(parseParameters({}), { ...options, device });
    expect(await describeOn(cpu)).toEqual(await describeOn());
    const gpu = await describeOn({ name: 'cuda', description: 'a GPU by CUDA, float32' });
    expect(gpu).toEqual({ ...(await describeOn()), device: 'a GPU by CUDA, float32' });
  });
});

it('takes a reward in JavaScript whose check is no promise', async () => {
  const ofOne = (check: () => void) => ({ ...rewardOf('mine', 'mine', () => 1), check }) as unknown as Reward;
  const open = (check: () => void) =>
    openReward(parseParameters({ reward: 'mine' }), { reward: ofOne(check) }, { device: cpu });
  const { reward } = await open(() => undefined);
  expect(reward.name).toBe('mine');
  const fail = () => {
    throw new Error('no network');
  };
  await expect(open(fail)).rejects.toThrow('the mine reward cannot score: no network');
  const named = { reward: { name: 'mine', rewardModel: 'nisqa' as const }, guards: [], transcriber: null };
  const ofWorker = openNamedScorers(named, undefined, { own: [ofOne(fail)], device: cpu });
  await expect(ofWorker).rejects.toThrow('the mine reward cannot score: no network');
});

it.each([{ figures: ['wer'] }, { measure: async () => ({}) }, undefined])(
  'refuses %o as a guard',
  async (wrong) => {
    const guards = [levelGuard, wrong] as Guard[];
    const opening = openScorers(parseParameters({}), {} as never, { guards, device: cpu });
    await expect(opening).rejects.toThrow('they must be a list of objects { figures, measure }');
  },
);

it('tells whoever waits long for the check of a reward', async () => {
  vi.useFakeTimers();
  const notices: string[] = [];
  const check = () => new Promise<void>((resolve) => setTimeout(resolve, 60_000));
  const reward = { ...rewardOf('slow', 'slow', () => 1), check };
  const onNotice = (notice: string) => notices.push(notice);
  const options = { reward, guards: [], device: cpu, onNotice };
  const opening = openScorers(parseParameters({ reward: 'slow' }), {} as never, options);
  await vi.advanceTimersByTimeAsync(9_999);
  expect(notices).toEqual([]);
  await vi.advanceTimersByTimeAsync(50_001);
  expect(notices).toEqual([
    'the slow reward is not done with its check() after 10 seconds; it is waited for.',
  ]);
  expect((await opening).reward.name).toBe('slow');
  // One that is done says nothing.
  await openReward(
    parseParameters({ reward: 'quick' }),
    { reward: { ...reward, name: 'quick', check: () => Promise.resolve() } },
    { device: cpu, onNotice },
  );
  await vi.advanceTimersByTimeAsync(60_000);
  expect(notices).toHaveLength(1);
  vi.useRealTimers();
});

describe.skipIf(!nisqaWeights)('NISQA as a reward', () => {
  it.each([
    ['cuda', true],
    ['webgpu', false],
  ])('beside %s: on it, %s', async (name, isThere) => {
    vi.stubEnv('NISQA_WEIGHTS', nisqaWeights);
    const asked: string[] = [];
    const device = doubleDevice({ name, description: 'a double' }, asked, cpu);
    expect(runsScorers(device)).toBe(isThere);
    const opened = await openReward({ reward: 'mos', rewardModel: 'nisqa' }, undefined, { device });
    expect(asked.includes('load')).toBe(isThere);
    const close = vi.spyOn(CpuDevice.prototype, 'close');
    await opened[Symbol.asyncDispose]();
    // It is the run's, which goes on; a CPU of the scorers' own does not.
    expect(asked).not.toContain('close');
    expect(close).toHaveBeenCalledTimes(isThere ? 0 : 1);
    close.mockRestore();

    asked.length = 0;
    const named = {
      reward: { name: 'length', rewardModel: 'nisqa' as const },
      guards: ['nisqa' as const],
      transcriber: null,
    };
    const guarded = await openNamedScorers(named, {} as never, { device });
    expect(asked.includes('load')).toBe(isThere);
    await guarded[Symbol.asyncDispose]();
  });
});
