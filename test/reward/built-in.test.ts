/** The built-in rewards beside even-token, length and mos. */
import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readWav, toMono } from '../../lib/audio/wav.js';
import { parameterOptions, parametersFromOptions, withPreset } from '../../lib/cli/parameter-options.js';
import { openReward, openScorers } from '../../lib/jobs/scorers.js';
import { networksOf, openBuiltIn, rewardLabel, rewardNames } from '../../lib/reward/built-in.js';
import { checkReward } from '../../lib/reward/check.js';
import { voiceGuard } from '../../lib/reward/guard.js';
import { naturalnessReward } from '../../lib/reward/mos.js';
import { distinctShare, repetitionReward } from '../../lib/reward/repetition.js';
import type { Sample } from '../../lib/reward/reward.js';
import { silenceReward } from '../../lib/reward/silence.js';
import { similarityReward } from '../../lib/reward/similarity.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import { presetOf, presets } from '../../lib/run/presets.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';
import { device } from '../support/device.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const sampleRateHz = 8000;
const item = {
  src_encodec: [
    [1, 1],
    [2, 2],
  ],
  instruction: 'Make it slower.',
  tgt_encodec: [[1, 1]],
};

const sampleOf = (samples: Float32Array, codes = [1]): Sample => ({
  item,
  codes,
  audio: async () => ({ samples, sampleRateHz }),
});

const tone = (hz: number, seconds = 1) =>
  Float32Array.from(
    { length: seconds * sampleRateHz },
    (_, i) => Math.sin((2 * Math.PI * hz * i) / sampleRateHz) / 2,
  );

/** Describes a recording by its zero crossings and its length: a vector of length 1. */
const encoder = {
  embed: vi.fn(async ({ samples }: { samples: Float32Array }) => {
    if (samples.every((value) => value === 0)) throw new UnscorableSample('it is silent');
    const crossings =
      samples.filter((value, i) => i > 0 && value * samples[i - 1] < 0).length / samples.length;
    return Float32Array.of(Math.cos(crossings), Math.sin(crossings));
  }),
};

afterEach(() => {
  vi.unstubAllEnvs();
  encoder.embed.mockClear();
});

describe('repetition', () => {
  it.each([
    [[1, 2, 3, 4, 5, 6], 1],
    [[7, 7, 7, 7, 7, 7, 7], 1 / 4],
    // 1212, 2121, 1212, 2121, 1212.
    [[1, 2, 1, 2, 1, 2, 1, 2], 2 / 5],
    // Codes that read alike when they are joined: 1,11,1,1 and 11,1,1,1.
    [[1, 11, 1, 1, 1], 1],
    [[1, 2, 3, 4], 1],
  ])('of %j: the share of 4-grams that are distinct is %d', (codes, share) => {
    expect(distinctShare(codes)).toBeCloseTo(share, 12);
  });

  it('drops what has no 4-gram, and never asks for sound', async () => {
    const mute = { item, audio: () => Promise.reject(new Error('a token reward must not make audio')) };
    expect(
      await repetitionReward.score([
        { ...mute, codes: [1, 2, 3] },
        { ...mute, codes: [1, 1, 1, 1, 1] },
      ]),
    ).toEqual([{ dropped: 'it has fewer than 4 codes' }, { reward: 0.5 }]);
    expect(repetitionReward.listens).toBe(false);
  });
});

it('silence is the share of frames that sound', async () => {
  const half = new Float32Array(2 * sampleRateHz);
  half.set(tone(200));
  const [all, some, none] = await silenceReward.score(
    [tone(200), half, new Float32Array(800)].map((s) => sampleOf(s)),
  );
  expect(all).toEqual({ reward: 1 });
  expect(some).toEqual({ reward: 0.5 });
  expect(none).toEqual({ reward: 0 });
});

describe('naturalness', () => {
  it('is the opinion of NISQA-TTS, and silence has none', async () => {
    const scorer = { model: 'naturalness' as const, score: async () => 3.5, dispose: async () => undefined };
    const reward = naturalnessReward(scorer);
    expect(await reward.score([sampleOf(tone(200)), sampleOf(new Float32Array(800))])).toEqual([
      { reward: 3.5 },
      { dropped: 'it is silent' },
    ]);
  });

  const beside = process.env.NISQA_WEIGHTS && join(dirname(process.env.NISQA_WEIGHTS), 'nisqa_tts.tar');
  const weights = beside && existsSync(beside) ? beside : sharedPath('nisqa/nisqa_tts.tar');
  it.skipIf(!weights)('is found by its name, with the weights that NISQA_TTS_WEIGHTS names', async () => {
    vi.stubEnv('NISQA_TTS_WEIGHTS', weights);
    const opened = await openReward({ reward: 'naturalness', rewardModel: 'nisqa' }, undefined, { device });
    const recording = await readWav(sharedPath('golden/audio/clip_0p2s_16k.wav')!);
    const heard = { samples: toMono(recording), sampleRateHz: recording.sampleRateHz };
    const [score] = await opened.reward.score([{ ...sampleOf(tone(1)), audio: async () => heard }]);
    expect('reward' in score && Math.abs(score.reward - 2.4885358810424805)).toBeLessThan(1e-4);
    await opened[Symbol.asyncDispose]();
  });

  it('says how to provide its weights', async () => {
    vi.stubEnv('NISQA_TTS_WEIGHTS', '/nowhere/nisqa_tts.tar');
    await expect(openReward({ reward: 'naturalness', rewardModel: 'nisqa' })).rejects.toThrow(
      'NISQA-TTS weights not found: the environment variable NISQA_TTS_WEIGHTS is /nowhere/nisqa_tts.tar',
    );
    vi.stubEnv('NISQA_MOS_ONLY_WEIGHTS', '/nowhere/nisqa_mos_only.tar');
    await expect(openReward({ reward: 'mos', rewardModel: 'nisqa-mos-only' })).rejects.toThrow(
      'the environment variable NISQA_MOS_ONLY_WEIGHTS is /nowhere/nisqa_mos_only.tar',
    );
  });
});

describe('similarity', () => {
  const decode = vi.fn(async (_codes: number[][]) => tone(200));
  const codec = { decode, sampleRateHz };

  it('is the cosine with the source, which is decoded once', async () => {
    const reward = similarityReward(encoder, () => codec);
    const [same, other] = await reward.score([sampleOf(tone(200)), sampleOf(tone(900))]);
    expect('reward' in same && same.reward).toBeCloseTo(1, 6);
    const angle = (2 * (900 - 200)) / sampleRateHz;
    expect('reward' in other && other.reward).toBeCloseTo(Math.cos(angle), 3);
    expect(decode).toHaveBeenCalledExactlyOnceWith(item.src_encodec);
    expect(await voiceGuard(encoder, codec).measure(sampleOf(tone(200)))).toEqual({
      similarity: expect.closeTo(1, 6),
    });
  });

  it('drops silence, and what has a silent source', async () => {
    const reward = similarityReward(encoder, () => codec);
    const faint = tone(200).map((value) => value / 10_000);
    for (const silent of [new Float32Array(800), faint])
      expect(await reward.score([sampleOf(silent)])).toEqual([{ dropped: 'it is silent' }]);
    const mute = { ...codec, decode: async () => new Float32Array(800) };
    expect(await similarityReward(encoder, () => mute).score([sampleOf(tone(200))])).toEqual([
      { dropped: 'its source cannot be compared with: it is silent' },
    ]);
    // What fails otherwise is no fault of the sample.
    encoder.embed.mockResolvedValueOnce(Float32Array.of(1, 0)).mockRejectedValueOnce(new Error('no memory'));
    const scoring = similarityReward(encoder, () => codec).score([sampleOf(tone(200))]);
    await expect(scoring).rejects.toThrow('no memory');
  });

  it('guards a run unless it is the reward; a variable that names nothing is told', async () => {
    for (const variable of ['NISQA_WEIGHTS', 'DNSMOS_WEIGHTS', 'RESEMBLYZER_WEIGHTS'])
      vi.stubEnv(variable, '/nowhere');
    vi.stubEnv('WHISPER_MODEL', '');
    const open = async (reward: string, asked: Partial<Parameters> = { guard: true }) => {
      const scorers = await openScorers(parseParameters({ reward, ...asked }), codec as never);
      await scorers[Symbol.asyncDispose]();
      return scorers.notices.filter((notice) => notice.includes('similarity'));
    };
    expect(await open('silence')).toEqual([
      expect.stringMatching(
        /^no guard by speaker similarity: Resemblyzer weights not found: .*RESEMBLYZER_WEIGHTS/,
      ),
    ]);
    await expect(open('similarity')).rejects.toThrow('Resemblyzer weights not found');
    expect(await open('silence', { guardPairs: true })).toEqual([]);
    // Nothing is said, and nothing downloaded, where nobody asked for it.
    vi.stubEnv('RESEMBLYZER_WEIGHTS', '');
    vi.stubEnv('XDG_CACHE_HOME', temporaryFolder());
    expect(await open('silence')).toEqual([]);
  });
});

describe('names', () => {
  it('each have a label, a network or none, and settings that are valid', () => {
    for (const reward of rewardNames) {
      expect(rewardLabel({ reward, rewardModel: 'nisqa' })).toMatch(/\d to \d\)$/);
      expect(parseParameters(presetOf(reward)).reward).toBe(reward);
    }
    const networks = rewardNames.map((reward) => networksOf({ reward, rewardModel: 'dnsmos' }));
    expect(networks).toEqual([[], [], ['dnsmos'], ['naturalness'], ['similarity'], [], [], [], []]);
    const several = { reward: 'mos+length+nisqa+similarity', rewardModel: 'dnsmos' } as const;
    expect(networksOf(several)).toEqual(['dnsmos', 'nisqa', 'similarity']);
  });

  it('are taken', async () => {
    const own = { name: 'silence', label: 'mine', score: async () => [] };
    expect(() => checkReward(own)).toThrow('the names even-token, length, mos, naturalness, similarity');
    expect(checkReward(silenceReward)).toBe(silenceReward);
    const codec = () => ({ decode: async () => tone(1), sampleRateHz });
    const options = { device, codec, recognizer: async () => async () => '' };
    expect(await openBuiltIn({ reward: 'repetition', rewardModel: 'nisqa' }, options)).toBe(repetitionReward);
  });

  it('bring their settings to the command run, where nothing else is given', async () => {
    const parsed = async (reward: string, ...args: string[]) => {
      const command = new Command('run');
      for (const option of parameterOptions('own')) command.addOption(option);
      await command.parseAsync(args, { from: 'user' });
      return parametersFromOptions(reward, withPreset(reward, command.opts(), command));
    };
    expect(await parsed('naturalness')).toEqual(parseParameters({ ...presets.mos, reward: 'naturalness' }));
    expect(await parsed('similarity', '--epochs', '6', '--batch-size', '10')).toEqual(
      parseParameters({ ...presets.mos, reward: 'similarity', minMargin: 0, epochs: 6, batchSize: 10 }),
    );
    expect(await parsed('mine')).toEqual(parseParameters({ ...presets['even-token'], reward: 'mine' }));
    expect(await parsed('mos')).toEqual(parseParameters(presets.mos));
  });
});
