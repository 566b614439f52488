/** The client of verl-omni's audio-scorer protocol, version 1: what it sends, what it takes, and how often it asks. */
import { expect, it } from 'vitest';
import { defaultPatience, readRetryAfter } from '../../lib/reward/ask-server.js';
import { askReward } from '../../lib/reward/ask.js';
import { rewardAt } from '../../lib/reward/from-address.js';
import { loadReward } from '../../lib/reward/load.js';
import { SCORER_TRIES, type Sample } from '../../lib/reward/reward.js';
import { SHORT, startAudioScorer, type ScorerAnswer } from '../support/audio-scorer.js';
import { startRewardServer } from '../support/reward-server.js';

const item = { src_encodec: [[7, 8], [1, 2]], instruction: 'Make it faster.', tgt_encodec: [[7], [1]], text: 'target text' }; // prettier-ignore
const sampleOf = (samples: number[], text: string | undefined = 'target text'): Sample => ({
  item: { ...item, text },
  codes: [1],
  audio: async () => ({ samples: Float32Array.from(samples), sampleRateHz: 24_000 }),
});
const SAMPLE = sampleOf([0, -0.25, 0.5]);

it('sends what the protocol says, as numpy writes it, and keeps the numbers beside the score', async () => {
  const scorer = await startAudioScorer(() => [
    200,
    { score: 3.5, cer: 0.25, asr_text: 'target', sample_id: '', is_long: false, target: null },
  ]);
  const reward = await rewardAt(scorer.address, undefined, SHORT);
  const host = new URL(scorer.address).host.replace(':', '-');
  expect(reward).toMatchObject({ name: host, label: `score of ${host}`, listens: true });
  expect(await askReward(reward, [SAMPLE])).toEqual([{ reward: 3.5, details: { cer: 0.25 } }]);
  expect(scorer.asked).toEqual([
    {
      protocol_version: '1',
      // base64.b64encode(np.array([0, -.25, .5], dtype='<f4').tobytes())
      waveform_f32_base64: 'AAAAAAAAgL4AAAA/',
      num_samples: 3,
      sample_rate: 24_000,
      prompt: 'target text',
      metadata: { id: expect.stringMatching(/^[0-9a-f]{16}$/), instruction: 'Make it faster.' },
    },
  ]);
  const untold = { ...SAMPLE, item: { ...item, text: undefined } };
  const otherSource = { ...SAMPLE, item: { ...item, src_encodec: [[7, 9], [1, 2]] } }; // prettier-ignore
  // A part of a longer recording.
  const audio = async () => ({ samples: Float32Array.of(9, 0, -0.25, 0.5, 9).subarray(1, 4), sampleRateHz: 24_000 }); // prettier-ignore
  for (const sample of [sampleOf([1]), untold, otherSource, { ...SAMPLE, audio }])
    await askReward(reward, [sample]);
  const [first, second, third, other, part] = scorer.asked;
  expect(second.metadata.id, 'names the prompt').toBe(first.metadata.id);
  expect(third.prompt).toBe('');
  expect(other.metadata.id).not.toBe(first.metadata.id);
  expect(part).toEqual(first);
});

it('takes the name that a server or an address gives', async () => {
  const described = { status: 'ok', name: 'judge', label: 'opinion', protocol_version: '1' };
  const scorer = await startAudioScorer(() => [200, { score: 1 }], [200, described]);
  expect(await rewardAt(scorer.address, undefined, SHORT)).toMatchObject({ name: 'judge', label: 'opinion' });
  expect(await loadReward(`accent=${scorer.address}`)).toMatchObject({ name: 'accent', label: 'opinion' });
  const other = await startAudioScorer(() => [200, {}], [200, { ...described, protocol_version: '2' }]);
  await expect(rewardAt(other.address, undefined, SHORT)).rejects.toThrow(
    `${other.address} speaks version "2" of the audio-scorer protocol; speech-dpo speaks version "1"`,
  );
});

it('asks a few questions at a time', async () => {
  const scorer = await startAudioScorer(async (_, count) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return [200, { score: count }];
  });
  const reward = await rewardAt(scorer.address, undefined, SHORT);
  const groups = [1, 2].map(() => askReward(reward, Array<Sample>(12).fill(SAMPLE)));
  await Promise.race(groups);
  groups.push(askReward(reward, Array<Sample>(12).fill(SAMPLE)));
  expect((await Promise.all(groups)).flat()).toHaveLength(36);
  expect(scorer.most).toBe(8);
});

it.each<[string, ScorerAnswer]>([
  ['breaks the connection', 'break'],
  ['hangs', 'hang'],
  ['says 408', [408, 'slow']],
  ['says 429', [429, 'busy', { 'retry-after': '0' }]],
  ['says 503', [503, '\xff']],
])('asks again when the server %s', async (_, failure) => {
  const scorer = await startAudioScorer((_question, count) => (count < 2 ? failure : [200, { score: 2 }]));
  const patience = { ...SHORT };
  const reward = await rewardAt(scorer.address, undefined, patience);
  if (failure === 'hang') patience.timeoutMs = 1000;
  expect(await askReward(reward, [SAMPLE])).toEqual([{ reward: 2, details: {} }]);
  expect(scorer.asked).toHaveLength(3);
});

it('keeps the pause that a server asks for, up to a minute', async () => {
  const scorer = await startAudioScorer((_, count) =>
    count === 0 ? [429, 'busy', { 'retry-after': '0' }] : [200, { score: 2 }],
  );
  const patient = { ...SHORT, pauseMs: 1e8 };
  expect(await askReward(await rewardAt(scorer.address, undefined, patient), [SAMPLE])).toHaveLength(1);
  expect(readRetryAfter('7')).toBe(7000);
  expect(readRetryAfter('3600')).toBe(60_000);
  expect(readRetryAfter(new Date(0).toUTCString())).toBe(0);
  expect(readRetryAfter(new Date(Date.now() + 1e7).toUTCString())).toBe(60_000);
  expect(readRetryAfter('soon')).toBeUndefined();
});

it.each<[string, ScorerAnswer, number, string]>([
  ['breaks', 'break', SCORER_TRIES, '(asked 3 times)'],
  ['hangs', 'hang', SCORER_TRIES, 'cannot be reached (no answer within 0.5 seconds) (asked 3 times)'],
  ['fails', [500, 'CUDA error\nat'], SCORER_TRIES, 'answers 500 Internal Server Error: CUDA error (asked 3'],
  ['answers NaN', [200, '{"score": NaN}'], 1, 'answers with what is not JSON: {"score": NaN}'],
  ['answers infinity', [200, '{"score": 1e999}'], 1, 'score: invalid input: expected number'],
  ['answers no score', [200, { value: 1 }], 1, 'score: invalid input: expected number, received undefined'],
  ['answers a text', [200, { score: '1.25' }], 1, 'score: invalid input: expected number, received string'],
  ['answers true', [200, { score: true }], 1, 'score: invalid input: expected number, received boolean'],
  ['answers a list', [200, []], 1, "it is no audio scorer's answer"],
  ['answers an error', [200, { error: 'no model' }], 1, 'it says "no model"'],
  ['answers a list beside', [200, { score: 1, m: [1] }], 1, "it is no audio scorer's answer: m"],
  ['answers infinity beside', [200, '{"score": 1, "m": -1e999}'], 1, "it is no audio scorer's answer: m"],
  ['speaks version 2', [200, { score: 1, protocol_version: '2' }], 1, 'protocol_version'],
  ['refuses', [400, { error: 'num_samples' }], 1, 'answers 400 Bad Request: {"error":"num_samples"}'],
  ['refuses a form', [422, { detail: [] }], 1, 'answers 422 Unprocessable Entity: {"detail":[]}'],
])('stops, asked as often as makes sense, when the server %s', async (_, answer, times, message) => {
  const scorer = await startAudioScorer(() => answer);
  const patience = { ...SHORT };
  const reward = await rewardAt(scorer.address, undefined, patience);
  if (answer === 'hang') patience.timeoutMs = 500;
  await expect(askReward(reward, [SAMPLE])).rejects.toThrow(message);
  expect(scorer.asked).toHaveLength(times);
});

it('drops the samples whose sound a server says that it cannot score', async () => {
  const scorer = await startAudioScorer(({ num_samples }) =>
    num_samples === 3 ? [200, { score: 1 }] : [422, { error: 'no', dropped: 'it is silent' }],
  );
  const reward = await rewardAt(scorer.address, undefined, SHORT);
  const scores = await askReward(reward, [sampleOf([0]), SAMPLE]);
  expect(scores).toEqual([{ dropped: 'it is silent' }, { reward: 1, details: {} }]);
});

it('says what an address that is neither lacks, and checks one again before a run', async () => {
  const neither = await startRewardServer([404, 'nothing here'], () => [405, 'no']);
  await expect(rewardAt(neither, undefined, SHORT)).rejects.toThrow(
    /answers 404 Not Found: nothing here; on GET .*; and as an audio scorer it cannot be used either: http.* answers 405/,
  );
  const scorer = await startAudioScorer(() => [200, { score: 1 }]);
  const reward = await rewardAt(scorer.address, undefined, SHORT);
  await reward.check!();
  scorer.die();
  await expect(reward.check!()).rejects.toThrow('cannot be reached (connection refused) (asked 3 times)');

  let name = 'sum';
  const list = await startRewardServer([200, { toJSON: () => ({ name }) }], () => [200, {}]);
  const listed = await rewardAt(list, undefined, SHORT);
  await listed.check!();
  name = 'product';
  await expect(listed.check!()).rejects.toThrow('is no longer the reward sum: it calls itself product');
});

it('waits as long as SPEECH_DPO_REWARD_TIMEOUT says', () => {
  expect(defaultPatience()).toEqual({ timeoutMs: 120_000, pauseMs: 1000 });
  process.env.SPEECH_DPO_REWARD_TIMEOUT = '0.5';
  expect(defaultPatience().timeoutMs).toBe(500);
  process.env.SPEECH_DPO_REWARD_TIMEOUT = 'long';
  expect(() => defaultPatience()).toThrow('SPEECH_DPO_REWARD_TIMEOUT is "long"; it is a number of seconds');
  delete process.env.SPEECH_DPO_REWARD_TIMEOUT;
});
