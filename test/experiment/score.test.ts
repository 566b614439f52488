import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../lib/experiment/events.js';
import { iterate } from '../../lib/experiment/iterate.js';
import type { Run } from '../../lib/experiment/run.js';
import { createScoring } from '../../lib/experiment/score.js';
import type { Guard } from '../../lib/reward/guard.js';
import type { Reward } from '../../lib/reward/reward.js';
import { createTinyRun } from './tiny-run.js';

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

async function tinyRun(changes: Partial<Run>, parameters?: Record<string, unknown>): Promise<Run> {
  const run = await createTinyRun(parameters);
  roots.push(join(run.directories.modelDirectory, '..', '..'));
  return { ...run, ...changes };
}

/** Scores the length of the audio; throws, or gives null, for certain lengths. */
const faultyReward: Reward = {
  name: 'faulty',
  label: 'samples',
  async score(sample) {
    const { samples } = await sample.audio();
    if (samples.length < 480) throw new Error('it is too short');
    return samples.length === 480 ? null : samples.length;
  },
};

/** 1 to 5 frames of 160 samples, and none at all. */
const COMPLETIONS = [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]];

async function scoreAll(run: Run, completions: number[][][], guards?: Guard[]) {
  const scoring = createScoring(run, run.train, guards);
  for (const [prompt, samples] of completions.entries())
    for (const [index, codes] of samples.entries()) scoring.add(prompt, index, codes, true);
  const events: RunEvent[] = [];
  const finishing = scoring.finish({ iteration: 0 });
  for (;;) {
    const { done, value } = await finishing.next();
    if (done) return { scored: value, events };
    events.push(value);
  }
}

describe('createScoring', () => {
  it('once closed, starts nothing more, and is closed when nothing is under way', async () => {
    let [started, ended] = [0, 0];
    const run = await tinyRun({ reward: faultyReward });
    const fill: Run['nar']['fill'] = async (items) => {
      started += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
      ended += 1;
      return items.map(({ codebook0 }) => [[...codebook0]]);
    };
    const scoring = createScoring({ ...run, nar: { ...run.nar, fill } }, run.train);
    // Three groups of 16, of which the second waits for the first.
    for (let i = 0; i < 48; i++) scoring.add(0, i, [1, 2, 3, 4], true);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([started, ended]).toEqual([1, 0]);
    await scoring.close();
    expect([started, ended]).toEqual([1, 1]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([started, ended]).toEqual([1, 1]);
  });

  it('drops what is empty, what the scorer throws at and what it gives no score, each with its reason', async () => {
    const { scored, events } = await scoreAll(await tinyRun({ reward: faultyReward }), [
      COMPLETIONS,
      [[1, 2, 3, 4]],
    ]);
    expect(scored[0].map(({ reward }) => reward)).toEqual([null, null, null, null, 640, 800]);
    expect(scored[0].map(({ dropped }) => dropped)).toEqual([
      'it is empty',
      'it is too short',
      'it is too short',
      'the reward gives it no score',
      undefined,
      undefined,
    ]);
    expect(scored[1]).toMatchObject([{ reward: 640, codes: [1, 2, 3, 4] }]);
    expect(events.at(-1)).toMatchObject({ type: 'progress', stage: 'score', done: 7, total: 7 });
  });

  it('stops with the reasons when nothing can be scored', async () => {
    const run = await tinyRun({ reward: faultyReward });
    await expect(scoreAll(run, [[[], [1], [2]], []])).rejects.toThrow(
      'none of the 3 samples could be scored with the faulty reward: 1 sample: it is empty; 2 samples: it is too short',
    );
  });

  const broken: [string, Partial<Reward>][] = [
    ['reward NaN', { score: async ({ codes }) => (codes[0] === 2 ? NaN : 1) }],
    ['reward Infinity', { score: async ({ codes }) => (codes[0] === 2 ? Infinity : 1) }],
    ['rank -Infinity', { rank: ({ codes }) => (codes[0] === 2 ? -Infinity : 1) }],
    ['lengths NaN', { details: ({ codes }) => ({ lengths: codes[0] === 2 ? NaN : 1 }) }],
  ];
  it.each(broken)('stops at %s, names the sample and keeps it', async (invalid, changes) => {
    const reward: Reward = { name: 'broken', label: '', score: async () => 1, ...changes };
    const run = await tinyRun({ reward });
    const file = join(run.directories.outputDirectory, 'invalid_rewards.json');
    await expect(scoreAll(run, [[[1]], [[1], [2, 3], [], [2]]])).rejects.toThrow(
      `the broken reward of sample 1 of train prompt 1, "Faster", is not a number: ${invalid} (and 1 more); nothing was saved of it, the samples are in ${file}`,
    );
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      iteration: 0,
      split: 'train',
      reward: 'broken',
      samples: [
        { index: 1, sample: 1, invalid, prompt: expect.any(String), completion: 'v_tok_2v_tok_3' },
        { index: 1, sample: 3, invalid, prompt: expect.any(String), completion: 'v_tok_2' },
      ],
    });
  });

  it('makes the audio of many completions in few calls, and the same audio for each', async () => {
    const run = await tinyRun({ reward: faultyReward });
    const filled: number[] = [];
    const nar: Run['nar'] = {
      ...run.nar,
      fill: (items) => {
        filled.push(items.length);
        return run.nar.fill(items);
      },
    };
    const lengths = Array.from({ length: 40 }, (_, i) => 4 + (i % 3));
    const completions = lengths.map((length) => Array.from({ length }, () => 1));
    const { scored } = await scoreAll({ ...run, nar }, [completions, []]);
    expect(filled).toEqual([16, 16, 8]);
    expect(scored[0].map(({ reward }) => reward)).toEqual(lengths.map((length) => length * 160));
  });

  it('makes no audio for a reward that reads codes', async () => {
    const run = await tinyRun({});
    const nar: Run['nar'] = { ...run.nar, fill: () => Promise.reject(new Error('no audio is needed')) };
    const { scored } = await scoreAll({ ...run, nar }, [[[2, 4]], []]);
    expect(scored[0]).toMatchObject([{ reward: 5 }]);
  });

  it('keeps what the guards measure of scored samples, and does without what they cannot', async () => {
    const guards: Guard[] = [
      { figures: ['dnsmos'], measure: async ({ codes }) => ({ dnsmos: codes.length }) },
      { figures: ['wer'], measure: () => Promise.reject(new Error('nothing is heard')) },
      { figures: ['pitch'], measure: async () => ({ pitch: NaN }) },
    ];
    const { scored } = await scoreAll(await tinyRun({ reward: faultyReward }), [COMPLETIONS, []], guards);
    expect(scored[0].map(({ figures }) => figures)).toEqual([{}, {}, {}, {}, { dnsmos: 4 }, { dnsmos: 5 }]);
  });
});

describe('a run whose scorer fails', () => {
  async function collect(run: Run): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for await (const event of iterate(run)) events.push(event);
    return events;
  }

  it('skips prompts with fewer than 2 valid samples, with a message, and counts what it dropped', async () => {
    const run = await tinyRun({}, { iterations: 1 });
    const first = run.train[0].item;
    const reward: Reward = {
      name: 'choosy',
      label: 'choosy',
      score: async ({ item, codes }) => (item === first ? null : codes.length),
    };
    const events = await collect({ ...run, reward });
    expect(events.find(({ type }) => type === 'scored')).toMatchObject({
      dropped: expect.toSatisfy((count: number) => count >= 4),
      droppedReasons: expect.arrayContaining([expect.stringContaining('the reward gives it no score')]),
    });
    expect(events.find(({ type }) => type === 'paired')).toMatchObject({
      skippedReasons: expect.arrayContaining([
        'prompt 0: only 0 of 4 samples could be scored; a pair needs 2',
      ]),
    });
  });

  it('stops before anything of the iteration is saved when a reward is not a number', async () => {
    const run = await tinyRun({}, { iterations: 1 });
    let evaluations = 0;
    const reward: Reward = {
      name: 'failing',
      label: 'failing',
      score: async ({ codes }) => (evaluations === 2 ? NaN : codes.length),
    };
    const seen: RunEvent[] = [];
    const running = async () => {
      for await (const event of iterate({ ...run, reward })) {
        seen.push(event);
        if (event.type === 'evaluated') evaluations += 1;
      }
    };
    await expect(running()).rejects.toThrow(/^the failing reward of sample \d of train prompt 0/);
    expect(seen.some(({ type }) => type === 'paired')).toBe(false);
    expect(await readdir(run.directories.modelDirectory)).toEqual(['evaluations.json']);
    const written = await readdir(run.directories.outputDirectory);
    expect(written.sort()).toEqual(['audio', 'audio.json', 'invalid_rewards.json']);
  });

  it('tells the guards after every evaluation, and warns where one falls while the reward rises', async () => {
    let evaluations = 0;
    const rising: Reward = { name: 'rising', label: 'rising', score: async () => evaluations };
    const falling: Guard = { figures: ['dnsmos'], measure: async () => ({ dnsmos: 3 - evaluations }) };
    const run = await tinyRun({
      reward: rising,
      guards: [falling],
      notices: ['no guard by word error rate'],
    });
    const events: RunEvent[] = [];
    for await (const event of iterate(run)) {
      events.push(event);
      if (event.type === 'guarded') evaluations++;
    }
    expect(events[1]).toEqual({ type: 'notice', message: 'no guard by word error rate' });
    const guarded = events.filter((event) => event.type === 'guarded');
    expect(guarded.map(({ iteration }) => iteration)).toEqual([-1, 0, 1]);
    expect(guarded.map(({ guards }) => guards[0].mean)).toEqual([3, 2, 1]);
    expect(guarded.map(({ warnings }) => warnings.length)).toEqual([0, 1, 1]);
  });
});
