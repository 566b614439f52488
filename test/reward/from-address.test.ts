import { once } from 'node:events';
import { createServer, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { expect, it, onTestFinished, vi } from 'vitest';
import { parseWav } from '../../lib/audio/wav.js';
import { askReward } from '../../lib/reward/ask.js';
import { rewardAt } from '../../lib/reward/from-address.js';
import { loadReward } from '../../lib/reward/load.js';
import { SCORER_TRIES, type Sample } from '../../lib/reward/reward.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';
import { SHORT } from '../support/audio-scorer.js';
import { startRewardServer, type Answer, type SentSample } from '../support/reward-server.js';

const item = { src_encodec: [[7, 8], [1, 2]], instruction: 'Make it faster.', tgt_encodec: [[7], [1]] }; // prettier-ignore
const sampleOf = (codes: number[]): Sample => ({
  item,
  codes,
  audio: async () => {
    if (codes.length > 3) throw new UnscorableSample('it is too long');
    return { samples: new Float32Array(codes.length * 10).fill(0.5), sampleRateHz: 8000 };
  },
});
const SAMPLES = [[1], [2, 3], [4, 5, 6]].map(sampleOf);
const DESCRIBED: Answer = [200, { name: 'sum', label: 'sum of codes' }];

it('asks a server what it is called, and for scores of codes', async () => {
  const asked: SentSample[][] = [];
  const address = await startRewardServer(DESCRIBED, (samples) => {
    asked.push(samples);
    return [200, { scores: [5, { dropped: 'it is dull' }, { reward: 1, rank: 2, details: { pace: 3 } }] }];
  });
  const reward = await loadReward(address);
  expect(reward).toMatchObject({ name: 'sum', label: 'sum of codes', listens: false });
  expect(await askReward(reward, SAMPLES)).toEqual([
    { reward: 5 },
    { dropped: 'it is dull' },
    { reward: 1, rank: 2, details: { pace: 3 } },
  ]);
  const told = { instruction: 'Make it faster.', source: [7, 8] };
  expect(asked).toEqual([
    [
      { ...told, codes: [1] },
      { ...told, codes: [2, 3] },
      { ...told, codes: [4, 5, 6] },
    ],
  ]);
});

it('sends audio as a WAV file where the server listens, and drops what cannot be heard', async () => {
  const lengths: number[] = [];
  const address = await startRewardServer([200, { name: 'sum', listens: true }], (samples) => {
    for (const { audio } of samples)
      lengths.push(parseWav(Buffer.from(audio!, 'base64'), 'sample').channels[0].length);
    return [200, { scores: samples.map(() => 1) }];
  });
  const reward = await loadReward(address);
  expect(reward).toMatchObject({ label: 'sum', listens: true });
  const scores = await askReward(reward, [sampleOf([1, 2, 3, 4]), ...SAMPLES]);
  expect(scores).toEqual([{ dropped: 'it is too long' }, ...Array(3).fill({ reward: 1 })]);
  expect(lengths).toEqual([10, 20, 30]);
});

it('asks again when the server fails, and keeps every sample', async () => {
  const answers: Answer[] = [
    [503, 'starting'],
    [200, { scores: [1] }],
    [200, { scores: [1, 2, 3] }],
  ];
  const address = await startRewardServer(DESCRIBED, () => answers.shift()!);
  const scores = await askReward(await rewardAt(address, undefined, SHORT), SAMPLES);
  expect(scores).toEqual([{ reward: 1 }, { reward: 2 }, { reward: 3 }]);
});

it.each<[string, Answer, number, string]>([
  [
    'fails',
    [500, 'Traceback\nZeroDivisionError'],
    SCORER_TRIES,
    'answers 500 Internal Server Error: Traceback (asked 3 times)',
  ],
  [
    'gives too few scores',
    [200, { scores: [1] }],
    SCORER_TRIES,
    'answers with 1 scores to 3 samples (asked 3 times)',
  ],
  [
    'gives no JSON',
    [200, '{"scores": [NaN]}'],
    SCORER_TRIES,
    'answers with what is not JSON: {"scores": [NaN]} (asked 3 times)',
  ],
  ['refuses', [422, 'codes: too large\nmore'], 1, 'answers 422 Unprocessable Entity: codes: too large'],
  [
    "gives a terminal's commands",
    [400, '\x1b[31mno \x1b]0;title\x07 \rerror: x'],
    1,
    'answers 400 Bad Request: \ufffd[31mno \ufffd]0;title\ufffd ',
  ],
  [
    "gives a terminal's commands in what is no JSON",
    [200, '{\x1b[2J\r\n'],
    SCORER_TRIES,
    'answers with what is not JSON: {\ufffd[2J\ufffd\ufffd (asked 3 times)',
  ],
])('stops when the server %s, asked as often as makes sense', async (_, answer, times, message) => {
  const score = vi.fn(() => answer);
  const address = await startRewardServer(DESCRIBED, score);
  await expect(askReward(await rewardAt(address, undefined, SHORT), SAMPLES)).rejects.toThrow(
    `${address} ${message}`,
  );
  expect(score).toHaveBeenCalledTimes(times);
});

it.each([301, 302, 303, 307, 308])(
  'is sent on by %d: followed where the question arrives',
  async (status) => {
    const there = await startRewardServer(DESCRIBED, (samples) => [200, { scores: samples.map(() => 1) }]);
    const server = createServer((_, response) => response.writeHead(status, { location: there }).end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const asking = askReward(await rewardAt(address, undefined, SHORT), SAMPLES);
    if (status >= 307) expect(await asking).toEqual(Array(3).fill({ reward: 1 }));
    else
      await expect(asking).rejects.toThrow(
        `${address} answers ${status} ${STATUS_CODES[status]}: it sends questions on to ${there}: give that address`,
      );
  },
);

it.each(['sends without end', 'packs a great deal into little'])(
  'is refused where it %s, before it fills the memory',
  async (how) => {
    const spaces = Buffer.alloc(2 ** 20, ' ');
    let sentBytes = 0;
    function* endless() {
      // So much fits into no text.
      while (sentBytes < 2 ** 30) {
        sentBytes += spaces.length;
        yield spaces;
      }
    }
    const server = createServer((_, response) => {
      const isPacked = how.startsWith('packs');
      const sent = [Readable.from(endless()), ...(isPacked ? [createGzip({ level: 1 })] : []), response];
      response.writeHead(200, isPacked ? { 'content-encoding': 'gzip' } : {});
      void pipeline(sent as [Readable, Writable]).catch(() => undefined);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await expect(rewardAt(address, undefined, SHORT)).rejects.toThrow(
      `${address} answers with more than 64 MiB`,
    );
  },
);

it('stops asking when no score is wanted any more', async () => {
  const stop = new AbortController();
  const score = vi.fn((): Answer => {
    stop.abort(new Error('stopped'));
    return [500, ''];
  });
  const reward = await loadReward(await startRewardServer(DESCRIBED, score));
  await expect(askReward(reward, SAMPLES, stop.signal)).rejects.toThrow('stopped');
  expect(score).toHaveBeenCalledTimes(1);
});

it.each<[Answer, RegExp]>([
  [
    [404, 'no such page'],
    /answers 404 Not Found: no such page; on GET the server of a reward answers \{"name"/,
  ],
  [[200, { label: 'a' }], /does not say what its reward is called; on GET/],
  [[200, { name: 'length' }], /describes is called length, as a built-in reward is/],
])('says at once what an address lacks: %j', async (described, message) => {
  const address = await startRewardServer(described, () => [200, {}]);
  await expect(loadReward(address)).rejects.toThrow(message);
});

it('says that nobody answers', async () => {
  await expect(loadReward('http://127.0.0.1:9/score')).rejects.toThrow(
    /^http:\/\/127\.0\.0\.1:9\/score cannot be reached \((connection refused|bad port)\); on GET/,
  );
});
