/** The rewards `wer` and `cer`: their numbers, what they drop, and what they need. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openNamedScorers, openReward, openScorers, withRecognizer } from '../../lib/jobs/scorers.js';
import { checkReward } from '../../lib/reward/check.js';
import type { Sample } from '../../lib/reward/reward.js';
import { wordReward } from '../../lib/reward/words.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { device } from '../support/device.js';
import { writeFakePython } from '../support/fake-faster-whisper.js';
import { writeToneWhisper } from '../support/tone-whisper.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

const RATE_HZ = 16000;
/** A second, of 200 or of 5000 Hz: what the tone Whisper hears as "a low tone" or "a high tone". */
const tone = (hz: number) =>
  Float32Array.from({ length: RATE_HZ }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / RATE_HZ));

/** The source is of the tone that its first code says. */
const codec = { decode: async ([[hz]]: number[][]) => tone(hz), sampleRateHz: RATE_HZ };

const sampleOf = (samples: Float32Array, text?: string, sourceHz = 200): Sample => ({
  item: {
    ...{ src_encodec: [[sourceHz]], instruction: 'Make it slower.', tgt_encodec: [[1]] },
    ...(text !== undefined && { text }),
  },
  codes: [1],
  audio: async () => ({ samples, sampleRateHz: RATE_HZ }),
});

describe('the numbers', () => {
  /** Says what stands in the first samples, a character code each. */
  const speak = (text: string) => Float32Array.from(text, (character) => character.charCodeAt(0));
  const hear = async (samples: Float32Array) => String.fromCharCode(...samples);

  // As jiwer 4.0.0 has them, in test/fixtures/jiwer.json.
  it.each([
    ['one two three four', 'one three four', 1 / 4, 4 / 18],
    ['a b c d e f g', 'b c d e f g h', 2 / 7, 4 / 13],
    ['a', 'a b c d', 3, 6],
    ['yes', 'no', 1, 1],
    ['Yes!', 'yes', 0, 0],
    ['yes', '', 1, 1],
  ])(
    'are 1 less the error rate, and 0 from an error rate of 1 on: "%s" / "%s"',
    async (text, heard, wer, cer) => {
      for (const [name, rate] of [
        ['wer', wer],
        ['cer', cer],
      ] as const) {
        const reward = wordReward(name, hear, () => codec);
        const [score] = await reward.score([sampleOf(speak(heard), text)]);
        expect(score).toEqual({
          reward: expect.closeTo(1 - Math.min(1, rate), 12),
          details: { wer: expect.closeTo(wer, 12), cer: expect.closeTo(cer, 12) },
        });
      }
    },
  );
});

describe('a reward of words', () => {
  const open = (reward: string, transcriber: string | null = writeToneWhisper()) =>
    openReward({ reward, rewardModel: 'nisqa', transcriber }, undefined, { device, codec: () => codec });

  it('compares with the text, else with what is heard in the source', async () => {
    const { reward, ...opened } = await open('wer');
    const scores = await reward.score([
      sampleOf(tone(200), 'A low tone.'),
      sampleOf(tone(5000), 'A low tone.'),
      sampleOf(tone(5000)),
      sampleOf(tone(5000), undefined, 5000),
      sampleOf(new Float32Array(RATE_HZ), 'A low tone.'),
    ]);
    expect(scores.map((score) => ('reward' in score ? score.reward : score))).toEqual([
      ...[1, expect.closeTo(2 / 3, 12), expect.closeTo(2 / 3, 12), 1],
      // Silence says nothing.
      0,
    ]);
    await opened[Symbol.asyncDispose]();
  });

  it('drops samples of items without words, and says why', async () => {
    const { reward, ...opened } = await open('cer');
    const silent = { decode: async () => new Float32Array(RATE_HZ), sampleRateHz: RATE_HZ };
    expect(await reward.score([sampleOf(tone(200), ' ... ')])).toEqual([
      { dropped: 'its text, " ... ", has no words' },
    ]);
    const deaf = wordReward(
      'cer',
      async () => '',
      () => silent,
    );
    expect(await deaf.score([sampleOf(tone(200))])).toEqual([
      { dropped: 'the dataset has no text for it, and the recognizer hears no words in the source' },
    ]);
    await opened[Symbol.asyncDispose]();
  });

  it('is refused where no recognizer is named, or the one that is cannot be had', async () => {
    vi.stubEnv('WHISPER_MODEL', '');
    await expect(open('wer', null)).rejects.toThrow(
      'the reward wer compares words with what a recognizer hears, and none is named: name one with --transcriber (transcriber in a notebook) or WHISPER_MODEL, for example faster-whisper',
    );
    await expect(open('cer', '/nowhere/whisper')).rejects.toThrow('/nowhere/whisper');
  });

  it('has names that are taken', () => {
    expect(() => checkReward({ name: 'wer', label: 'mine', score: () => [] })).toThrow(
      'is called wer, as a built-in reward is',
    );
  });

  it('keeps the recognizer that WHISPER_MODEL names with the run, and asks no second one as a guard', async () => {
    const model = writeToneWhisper();
    vi.stubEnv('WHISPER_MODEL', model);
    vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
    vi.stubEnv('DNSMOS_WEIGHTS', '/nowhere/dnsmos');
    expect(withRecognizer(parseParameters({ reward: 'mos' })).transcriber).toBeNull();
    const parameters = withRecognizer(parseParameters({ reward: 'wer', guard: true }));
    expect(parameters.transcriber).toBe(model);
    const full = { ...codec, frameRateHz: 50, codebooks: 1, codebookSize: 8, dispose: async () => undefined };
    const scorers = await openScorers(
      parameters,
      { ...full, encode: () => Promise.reject(new Error('a run must not encode')) },
      { device },
    );
    expect(scorers.guards.flatMap(({ figures }) => figures)).not.toContain('wer');
    expect(scorers.notices.join()).not.toContain('word error');
    await scorers[Symbol.asyncDispose]();
  });

  it.each([
    ['wer', 1],
    ['wer+cer', 2],
  ])(
    '%s is opened by a worker with the recognizer of the run, whose one process ends with the work',
    async (name, best) => {
      const { python, starts } = writeFakePython();
      vi.stubEnv('SPEECH_DPO_PYTHON', python);
      vi.stubEnv('WHISPER_MODEL', '/nowhere/whisper');
      const combination = best > 1 ? { how: 'weighted' as const } : undefined;
      const named = { reward: { name, rewardModel: 'nisqa' as const, combination }, guards: [] };
      const scorers = await openNamedScorers({ ...named, transcriber: 'faster-whisper' }, undefined, {
        device,
      });
      const [score] = await scorers.reward.score([sampleOf(tone(200), `${RATE_HZ} samples`)]);
      expect(score).toMatchObject({ reward: best });
      await scorers[Symbol.asyncDispose]();
      const [pid, ...others] = starts();
      expect(others).toEqual([]);
      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), 5000);
    },
  );

  it('as a guard has a process that ends with the work', async () => {
    const { python, starts } = writeFakePython();
    vi.stubEnv('SPEECH_DPO_PYTHON', python);
    vi.stubEnv('WHISPER_MODEL', '/nowhere/whisper');
    const named = {
      reward: { name: 'length', rewardModel: 'nisqa' as const },
      guards: ['silence' as const, 'wer' as const],
    };
    const work = { ...named, transcriber: 'faster-whisper' };
    const scorers = await openNamedScorers(work, codec as never, { device });
    const sample = sampleOf(tone(200), `${RATE_HZ} samples`);
    expect(await scorers.guards[1].measure(sample)).toEqual({ wer: 0 });
    await scorers[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(() => process.kill(starts()[0], 0)).toThrow(), 5000);
  });

  it.each([{ reward: 'wer' }, { reward: 'length', guard: true }])(
    'ends its process when the run is stopped: %o',
    async (asked) => {
      const { python, starts } = writeFakePython();
      vi.stubEnv('SPEECH_DPO_PYTHON', python);
      for (const variable of ['NISQA_WEIGHTS', 'DNSMOS_WEIGHTS']) vi.stubEnv(variable, '/nowhere');
      vi.stubEnv('WHISPER_MODEL', 'faster-whisper');
      const stop = new AbortController();
      const parameters = parseParameters(asked);
      const options = { device, signal: stop.signal };
      const { reward, guards, ...scorers } = await openScorers(parameters, codec as never, options);
      const guard = guards.find(({ figures }) => figures.includes('wer'));
      const sample = sampleOf(tone(200), `${RATE_HZ} samples`);
      await (guard?.measure(sample) ?? reward.score([sample]));
      stop.abort();
      await vi.waitFor(() => expect(() => process.kill(starts()[0], 0)).toThrow(), 5000);
      await scorers[Symbol.asyncDispose]();
    },
  );
});
