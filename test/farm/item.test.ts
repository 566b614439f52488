import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SampleRequest } from '../../lib/experiment/farm.js';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { codesFromText, codesTextSchema, codesToText } from '../../lib/farm/code-text.js';
import { hashOfFiles, type FolderManifest } from '../../lib/farm/files/manifest.js';
import {
  cutRequest,
  hashOf,
  parseItem,
  promptFromText,
  resultFromText,
  resultToText,
} from '../../lib/farm/item.js';
import { scoresFromText, scoresToText } from '../../lib/farm/recordings-item.js';

const files = [{ name: 'config.json', bytes: 2, sha256: 'a'.repeat(64) }];
const policy: FolderManifest = { hash: hashOfFiles(files), path: '/models/policy', files };
const item = {
  instruction: 'Faster',
  src_encodec: [
    [1, 2],
    [3, 1023],
  ],
  tgt_encodec: [[5], [6]],
};

const request = (changes: Partial<SampleRequest> = {}): SampleRequest => ({
  ...{ iteration: 0, stage: 'sample', split: 'train', samplesPerPrompt: 4, seed: 3, guards: 'none' },
  prompts: [0, 1].map((index) => ({ index, item: { ...item, instruction: `Faster ${index}` }, ids: [] })),
  ...changes,
});

describe('codes as text', () => {
  it('come back', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), (codes) => {
        const text = codesToText(codes);
        expect(codesTextSchema.parse(text)).toBe(text);
        expect(codesFromText(text)).toEqual(codes);
      }),
    );
  });

  it('are whole numbers of two bytes', () => {
    for (const code of [-1, 65_536, 1.5, NaN])
      expect(() => codesToText([code])).toThrow(/cannot be sent to workers/);
    expect(codesTextSchema.safeParse('AAAA').success, 'three bytes').toBe(false);
    expect(codesTextSchema.safeParse('no base64!').success).toBe(false);
  });
});

describe('a request', () => {
  it('is cut into every sample once, none alone unless it is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (samplesPerPrompt) => {
        const items = cutRequest(request({ samplesPerPrompt }), policy, 'terms');
        const parts = items.filter(({ data }) => data.position === 1).map(({ data }) => data);
        const samples = parts.flatMap(({ first, samples: count }) =>
          Array.from({ length: count }, (_, i) => first + i),
        );
        expect(samples).toEqual(Array.from({ length: samplesPerPrompt }, (_, i) => i));
        const sizes = parts.map((part) => part.samples);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
        if (samplesPerPrompt > 1) expect(Math.min(...sizes)).toBeGreaterThan(1);
        expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
      }),
    );
  });

  it('names its items by all that their results depend on', () => {
    const idOf = (changes: Partial<SampleRequest> = {}, folder = policy, terms = 'terms') =>
      cutRequest(request(changes), folder, terms)[0].id;
    const others = [
      idOf({ seed: 4 }),
      idOf({ guards: 'all' }),
      idOf({ split: 'test' }),
      idOf({ samplesPerPrompt: 5 }),
      idOf({ prompts: request().prompts.slice(1) }),
      idOf({}, { ...policy, hash: 'b'.repeat(64) }),
      idOf({}, policy, 'other terms'),
    ];
    expect(new Set([idOf(), ...others]).size).toBe(others.length + 1);
    expect(idOf({}, { ...policy, path: '/elsewhere' }), 'wherever the model lies').toBe(idOf());
    expect(idOf(), 'a name that BullMQ takes').toMatch(/^i-[0-9a-f]{40}$/);
    expect(cutRequest(request(), policy, 'terms')[1].title).toBe('samples 0 to 3 of train prompt 1');
    // Random streams are of the place in the request, as without workers.
    const [second] = cutRequest(request({ prompts: request().prompts.slice(1) }), policy, 'terms');
    expect(second).toMatchObject({
      title: 'samples 0 to 3 of train prompt 1',
      data: { index: 1, position: 0 },
    });
  });

  it('comes through the queue as it is, and nothing else does', () => {
    const [{ data }] = cutRequest(request(), policy, 'terms');
    const received = parseItem(JSON.parse(JSON.stringify(data)));
    expect(received).toEqual(data);
    expect(promptFromText(received.prompt)).toEqual({ ...item, instruction: 'Faster 0' });
    for (const wrong of [{}, { ...data, samples: 0 }, { ...data, run: 'rm -rf' }, { ...data, seed: 0.5 }])
      expect(() => parseItem(wrong)).toThrow(/^the queue holds what is no item: /);
    const path = { ...data, policy: { ...policy, files: [{ ...files[0], name: '../../etc/passwd' }] } };
    expect(() => parseItem(path)).toThrow(/plain file name/);
  });
});

const scored: ScoredCompletion[] = [
  {
    codes: [1, 2],
    finished: true,
    reward: 0.1 + 0.2,
    rank: -3,
    details: { z: 1, a: 2 },
    figures: { dnsmos: 1e-300 },
  },
  { codes: [], finished: false, reward: null, rank: null, details: {}, figures: {}, dropped: 'it is empty' },
  { codes: [7], finished: true, reward: null, rank: null, details: {}, figures: {}, invalid: 'reward NaN' },
];

describe('a result', () => {
  it('comes back to the last bit, with its names in their order', () => {
    const received = resultFromText(resultToText(scored), 3);
    expect(JSON.stringify(received)).toBe(JSON.stringify(scored));
  });

  it('is of as many samples as were asked for, and of scores', () => {
    expect(() => resultFromText(resultToText(scored), 2)).toThrow(/3 samples in place of 2/);
    expect(() => resultFromText(resultToText(scored), 4)).toThrow(/3 samples in place of 4/);
    expect(() => resultFromText('[{"codes": "AAA="}]', 1)).toThrow(/otherwise than with scores/);
  });

  it('of recordings may hold what JSON cannot', () => {
    const scores = [{ silence: { level: -Infinity, share: 1 } }, { nisqa: { mos: 2.5 }, error: 'a.wav: no' }];
    expect(scoresFromText(scoresToText(scores), 2)).toEqual(scores);
    expect(() => scoresFromText('[{"nisqa": []}]', 1)).toThrow(/otherwise than with scores/);
    expect(() => scoresFromText('[]', 1)).toThrow(/0 recordings in place of 1/);
  });
});

it('equal values have equal hashes', () => {
  expect(hashOf(['a', { b: 1 }])).toBe(hashOf(['a', { b: 1 }]));
  expect(hashOf(['a', { b: 1 }])).not.toBe(hashOf(['a', { b: 2 }]));
});
