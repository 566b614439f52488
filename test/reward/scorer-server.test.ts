/** `serve-reward`: what other trainers are answered, and that our own client hears by it what it would hear without. */
import { Agent, request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { askReward } from '../../lib/reward/ask.js';
import { encodeQuestion } from '../../lib/reward/audio-scorer-wire.js';
import { evenTokenReward } from '../../lib/reward/even-token.js';
import { rewardAt } from '../../lib/reward/from-address.js';
import { rewardOf, type Reward, type Sample } from '../../lib/reward/reward.js';
import { serveScorer } from '../../lib/reward/scorer-server.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';
import { SHORT } from '../support/audio-scorer.js';

/** The sum of a sound and how long it and its text are; no silence. */
const summing = rewardOf('summing', 'sum', async ({ item, audio }) => {
  const { samples, sampleRateHz } = await audio();
  if (samples.every((each) => each === 0)) throw new UnscorableSample('it is silent');
  const sum = samples.reduce((total, each) => total + each, 0);
  return { reward: sum, details: { seconds: samples.length / sampleRateHz, words: item.text?.length ?? -1 } };
});

async function serve(reward: Reward): Promise<string> {
  const server = await serveScorer(reward, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  return server.address;
}

const question = (samples: number[], prompt = 'text') => ({
  ...encodeQuestion({
    recording: { samples: Float32Array.from(samples), sampleRateHz: 4 },
    prompt,
    metadata: { id: 'a' },
  }),
});
const post = async (address: string, body: unknown) => {
  const response = await fetch(`${address}/score`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return [response.status, await response.json()];
};

it('answers a score with what is beside it, and says on GET what it is', async () => {
  const address = await serve(summing);
  expect(await post(address, question([1, -0.25]))).toEqual([200, { score: 0.75, seconds: 0.5, words: 4 }]);
  const described = await fetch(`${address}/healthz`);
  expect([described.status, await described.json()]).toEqual([
    200,
    { status: 'ok', name: 'served-summing', label: 'sum', protocol_version: '1' },
  ]);
  expect((await fetch(address, { method: 'DELETE' })).status).toBe(405);
});

it('refuses what a web page asks, whose browser says that one does', async () => {
  const address = await serve(summing);
  const asked = { method: 'POST', headers: { origin: 'https://example.org' }, body: JSON.stringify(good) };
  expect((await fetch(address, asked)).status).toBe(403);
  expect((await fetch(address, { headers: { origin: 'null' } })).status).toBe(403);
});

const good = question([1]);
it.each<[number, unknown, string]>([
  [422, question([0, 0]), 'this sound cannot be scored: it is silent'],
  [400, '{', 'a request is JSON: '],
  [400, [], 'this is no audio-scorer request: invalid input: expected object'],
  [400, {}, 'protocol_version: it must be "1", the version spoken here'],
  [400, { ...good, protocol_version: '2' }, 'protocol_version: it must be "1"'],
  [400, { ...good, protocol_version: 1 }, 'protocol_version: it must be "1"'],
  [400, { ...good, waveform_f32_base64: '?' }, 'waveform_f32_base64: it is no base64'],
  [400, { ...good, waveform_f32_base64: 'AAAA' }, 'holds 3 bytes, and num_samples says 1'],
  [400, { ...good, num_samples: 2 }, 'holds 4 bytes, and num_samples says 2'],
  [400, { ...good, num_samples: true }, 'num_samples: invalid input: expected number'],
  [400, { ...good, sample_rate: 0 }, 'sample_rate: '],
  [400, { ...good, sample_rate: 0.5 }, 'sample_rate: '],
  [400, { ...good, prompt: undefined }, 'prompt: invalid input: expected string'],
  [400, question([NaN]), 'holds a sample that is NaN or infinite'],
  [400, { ...good, metadata: [] }, 'metadata: '],
])('says %i in a sentence to %j', async (status, body, message) => {
  const [found, answer] = await post(await serve(summing), body);
  expect(found).toBe(status);
  expect((answer as { error: string }).error).toContain(message);
});

it('reads no more than 32 MiB of a request', async () => {
  const { hostname, port } = new URL(await serve(summing));
  const status = await new Promise((resolve, reject) => {
    const headers = { 'content-length': 33 * 2 ** 20 };
    const sent = request({ hostname, port, method: 'POST', headers }, (response) => {
      resolve(response.statusCode);
      sent.destroy();
    });
    sent.on('error', reject);
    sent.write('{');
  });
  expect(status).toBe(413);
});

it('says 500 where the reward fails, or gives no number', async () => {
  const faulty = rewardOf('faulty', '', async ({ item }) => {
    if (item.text === 'fail') throw new TypeError('x is not a function');
    return item.text === 'NaN' ? NaN : { reward: 1, details: { best: item.text === 'more' ? Infinity : 1 } };
  });
  const address = await serve(faulty);
  expect(await post(address, question([1], 'fine'))).toEqual([200, { score: 1, best: 1 }]);
  for (const [text, message] of [
    ['fail', 'the faulty reward fails: x is not a function'],
    ['NaN', 'the faulty reward fails: it gives the score NaN'],
    ['more', 'the faulty reward fails: it gives the best Infinity'],
  ])
    expect(await post(address, question([1], text))).toEqual([500, { error: message }]);
});

it('serves no reward that needs more than sound and text, and answers 400 where the text is missing', async () => {
  await expect(serve(evenTokenReward)).rejects.toThrow(
    'the reward even-token cannot be served: it does not listen, and an audio scorer is sent sound',
  );
  for (const [reward, what] of [
    [rewardOf('similar', '', ({ item }) => item.src_encodec.length), 'the source recording'],
    [rewardOf('long', '', ({ codes }) => codes.length), "the sample's codes"],
  ] as const)
    await expect(serve(reward)).rejects.toThrow(
      `the reward ${reward.name} cannot be served: it needs ${what}, and an audio scorer is sent the sound and its text alone`,
    );
  // As a word error rate, which hears the source where nobody says what was spoken.
  const spoken = rewardOf('spoken', '', ({ item }) => (item.text ?? '').length || item.src_encodec.length);
  expect(await post(await serve(spoken), question([1], ''))).toMatchObject([
    400,
    { error: expect.stringMatching(/^it needs the source recording/) },
  ]);
});

it('our own client hears the same as without it', async () => {
  const reward = await rewardAt(await serve(summing), undefined, SHORT);
  expect(reward).toMatchObject({ name: 'served-summing', label: 'sum', listens: true });
  const samples = [[0.1, 0.2, 0.3], [0], [-1, 0.7]].map((each): Sample => ({
    item: { src_encodec: [[1]], instruction: 'a', tgt_encodec: [[1]], text: 'words' },
    codes: [1],
    audio: async () => ({ samples: Float32Array.from(each), sampleRateHz: 8 }),
  }));
  expect(await askReward(reward, samples)).toEqual(await askReward(summing, samples));
});

it('ends after the answers that it owes, and tells a port that is taken', async () => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  let isAsked = false;
  const slow = rewardOf('slow', '', async ({ item }) => {
    if (item.text === 'text') {
      isAsked = true;
      await held;
    }
    return 1;
  });
  const server = await serveScorer(slow, { host: '127.0.0.1', port: 0 });
  const port = Number(new URL(server.address).port);
  await expect(serveScorer(summing, { host: '127.0.0.1', port })).rejects.toThrow(
    `cannot listen at 127.0.0.1, port ${port}: another program listens there`,
  );
  const answered = post(server.address, question([1]));
  while (!isAsked) await new Promise((resolve) => setTimeout(resolve, 5));
  const closed = server.close();
  release();
  expect(await answered).toEqual([200, { score: 1 }]);
  await closed;
  await expect(fetch(server.address)).rejects.toThrow();
});

it('ends although a client keeps its connection and asks on', async () => {
  let isAsked = false;
  const patient = rewardOf('patient', '', async ({ item }) => {
    isAsked = item.text === 'text';
    await new Promise((resolve) => setTimeout(resolve, 20));
    return 1;
  });
  const server = await serveScorer(patient, { host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      const asked = request(server.address, { method: 'POST', agent }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!));
      });
      asked.on('error', reject).end(JSON.stringify(question([1])));
    });
  const asking = ask();
  while (!isAsked) await new Promise((resolve) => setTimeout(resolve, 5));
  const closed = server.close();
  expect(await asking).toBe(200);
  const goingOn = async () => {
    for (let answers = 0; answers < 20; answers++) await ask();
  };
  await expect(goingOn()).rejects.toThrow('ECONNREFUSED');
  await closed;
});
