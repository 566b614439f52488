import { getEventListeners } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isPlainError } from '../../lib/plain-error.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { createAudioExamples, readAudioIndex } from '../../lib/experiment/audio-examples.js';
import { checkScored } from '../../lib/experiment/check-scored.js';
import { isDivergence } from '../../lib/experiment/diverged.js';
import type { RunEvent } from '../../lib/run/events.js';
import { iterate } from '../../lib/experiment/iterate.js';
import { preparePairs } from '../../lib/experiment/prepare-pairs.js';
import { recordRun } from '../../lib/run/record.js';
import { findResumePoint } from '../../lib/experiment/resume-point.js';
import { cutRecord, readRun, type RunRecord } from '../../lib/run/run-files.js';
import type { Run } from '../../lib/experiment/run.js';
import type { Completion } from '../../lib/experiment/sample.js';
import { createScoring, ENDING_MS } from '../../lib/experiment/score.js';
import type { Guard } from '../../lib/reward/guard.js';
import { evenTokenReward } from '../../lib/reward/even-token.js';
import {
  FailedSample,
  rewardOf,
  SCORER_TRIES,
  type Reward,
  type Sample,
  type Score,
} from '../../lib/reward/reward.js';
import { ScorerFault, UnscorableSample } from '../../lib/scoring/unscorable.js';
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

/** Scores the length of the audio; some lengths it cannot score, and says why, or gives null. */
const faultyReward = rewardOf('faulty', 'samples', async (sample) => {
  const { samples } = await sample.audio();
  if (samples.length < 480) throw new UnscorableSample('it is too short');
  return samples.length === 480 ? null : samples.length;
});

/** 1 to 5 frames of 160 samples, and none at all. */
const COMPLETIONS = [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]];

const completion = (run: Run, prompt: number, sampleIndex: number, codes: number[]): Completion => ({
  ...{ prompt: run.train[prompt], sampleIndex, codes, finished: true },
});

async function scoreAll(run: Run, completions: number[][][], guards?: Guard[]) {
  const scoring = createScoring(run, { split: 'train', prompts: run.train, guards });
  for (const [prompt, samples] of completions.entries())
    for (const [index, codes] of samples.entries()) scoring.add(completion(run, prompt, index, codes));
  const events: RunEvent[] = [];
  const finishing = scoring.finish({ iteration: 0 });
  for (;;) {
    const { done, value } = await finishing.next();
    if (done) {
      await checkScored(run, { iteration: 0, split: 'train', prompts: run.train, scored: value });
      return { scored: value, events };
    }
    events.push(value);
  }
}

describe('createScoring', () => {
  it('once closed, starts nothing more, and is closed when nothing is under way', async () => {
    let [started, ended] = [0, 0];
    const run = await tinyRun({ reward: faultyReward });
    const fill: Run['partner']['fill'] = async (items) => {
      started += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
      ended += 1;
      return items.map(({ codebook0 }) => [[...codebook0]]);
    };
    const scoring = createScoring(
      { ...run, partner: { ...run.partner, fill } },
      { split: 'train', prompts: run.train },
    );
    // Three groups of 16, of which the second waits for the first.
    for (let i = 0; i < 48; i++) scoring.add(completion(run, 0, i, [1, 2, 3, 4]));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([started, ended]).toEqual([1, 0]);
    await scoring.close();
    expect([started, ended]).toEqual([1, 1]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([started, ended]).toEqual([1, 1]);
  });

  it.each([
    ['reward', { reward: rewardOf('deaf', 'never', () => new Promise<number>(() => undefined)) }, []],
    [
      'guard',
      { reward: evenTokenReward },
      [{ name: 'level', figures: ['silence'], measure: () => new Promise<never>(() => undefined) } as Guard],
    ],
  ])('is closed after an abort, with a %s that never ends', async (_, own, guards) => {
    const stop = new AbortController();
    const run = await tinyRun({ ...own, signal: stop.signal });
    const scoring = createScoring(run, { split: 'train', prompts: run.train, guards });
    scoring.add(completion(run, 0, 0, [1, 2]));
    const finishing = scoring.finish({ iteration: 0 }).next();
    stop.abort(new Error('interrupted'));
    await expect(finishing).rejects.toThrow('interrupted');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let isClosed = false;
      const closing = scoring.close().then(() => (isClosed = true));
      await vi.advanceTimersByTimeAsync(ENDING_MS - 1);
      expect(isClosed).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      await closing;
    } finally {
      vi.useRealTimers();
    }
  });

  it('leaves nothing at the signal once it is closed', async () => {
    const { signal } = new AbortController();
    const run = await tinyRun({ signal });
    const listeners = () => getEventListeners(signal, 'abort').length;
    const before = listeners();
    const scoring = createScoring(run, { split: 'train', prompts: run.train });
    expect(listeners()).toBeGreaterThan(before);
    await scoring.close();
    expect(listeners()).toBe(before);
  });

  it('drops what is empty, what cannot be scored and what gets no score, each with its reason', async () => {
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

  const broken: [string, Score][] = [
    ['reward NaN', { reward: NaN }],
    ['reward Infinity', { reward: Infinity }],
    ['reward -1.7e+308', { reward: -1.7e308 }],
    ['rank -Infinity', { reward: 1, rank: -Infinity }],
    ['lengths NaN', { reward: 1, details: { lengths: NaN } }],
  ];
  it.each(broken)('stops at %s, names the sample and keeps it', async (invalid, score) => {
    const reward = rewardOf('broken', '', ({ codes }) => (codes[0] === 2 ? score : 1));
    const run = await tinyRun({ reward });
    const file = join(run.directories.outputDirectory, 'invalid_rewards.json');
    await expect(scoreAll(run, [[[1]], [[1], [2, 3], [], [2]]])).rejects.toThrow(
      `the broken reward of sample 1 of train prompt 1, "Faster", is not a number between -1e+150 and 1e+150: ${invalid} (and 1 more); nothing of this iteration was saved, and the samples are in ${file}`,
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
    const { instruction, src_encodec: source } = run.train[0].item;
    const partner: Run['partner'] = {
      ...run.partner,
      fill: (items) => {
        filled.push(items.length);
        for (const item of items)
          expect(item).toEqual({ instruction, source, codebook0: item.codebook0.map(() => 1) });
        return run.partner.fill(items);
      },
    };
    const lengths = Array.from({ length: 40 }, (_, i) => 4 + (i % 3));
    const completions = lengths.map((length) => Array.from({ length }, () => 1));
    const { scored } = await scoreAll({ ...run, partner }, [completions, []]);
    expect(filled).toEqual([16, 16, 8]);
    expect(scored[0].map(({ reward }) => reward)).toEqual(lengths.map((length) => length * 160));
  });

  it('drops what is longer than the partner can fill, and scores the others of its group', async () => {
    const run = await tinyRun({ reward: faultyReward });
    const partner: Run['partner'] = { ...run.partner, maxFrames: 4 };
    const { scored } = await scoreAll({ ...run, partner }, [
      [
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4],
      ],
      [],
    ]);
    expect(scored[0]).toMatchObject([
      { reward: null, dropped: "it is longer than the partner's 4 frames" },
      { reward: 640 },
    ]);
  });

  it('keeps codes and sound from a reward that changes them in place', async () => {
    const reward = rewardOf('median', 'median code', async (sample) => {
      const { samples } = await sample.audio();
      samples.fill(0);
      const { codes } = sample;
      codes.sort((a, b) => a - b);
      return codes[codes.length >> 1];
    });
    const heard: Float32Array[] = [];
    const guard: Guard = {
      figures: ['dnsmos'],
      measure: async (sample) => {
        heard.push((await sample.audio()).samples);
        return { dnsmos: sample.codes[0] };
      },
    };
    const { scored } = await scoreAll(await tinyRun({ reward }), [[[3, 1, 2]], []], [guard]);
    expect(scored[0]).toMatchObject([{ reward: 2, codes: [3, 1, 2], figures: { dnsmos: 3 } }]);
    expect(heard[0].some((value) => value !== 0)).toBe(true);
  });

  it('makes no audio for a reward that reads codes', async () => {
    const run = await tinyRun({});
    const partner: Run['partner'] = {
      ...run.partner,
      fill: () => Promise.reject(new Error('no audio is needed')),
    };
    const { scored } = await scoreAll({ ...run, partner }, [[[2, 4]], []]);
    expect(scored[0]).toMatchObject([{ reward: 5 }]);
  });

  it('keeps what the guards measure of scored samples, and does without what they cannot', async () => {
    const guards: Guard[] = [
      { figures: ['dnsmos'], measure: async ({ codes }) => ({ dnsmos: codes.length }) },
      { figures: ['wer'], measure: () => Promise.reject(new UnscorableSample('nothing is heard')) },
      { figures: ['pitch'], measure: async () => ({ pitch: NaN }) },
    ];
    const { scored } = await scoreAll(await tinyRun({ reward: faultyReward }), [COMPLETIONS, []], guards);
    expect(scored[0].map(({ figures }) => figures)).toEqual([{}, {}, {}, {}, { dnsmos: 4 }, { dnsmos: 5 }]);
  });
});

describe("what is no sample's own fault", () => {
  const scoring = 'the run stops at sample 1 of train prompt 1, "Faster": ';
  const faults: [string, Error, unknown][] = [
    ['a worker that died', new Error("the engine's worker has been closed"), Error],
    ['a programming error', new TypeError('score is not a function'), ScorerFault],
    ['memory that runs out', new RangeError('Array buffer allocation failed'), ScorerFault],
  ];
  const COMPLETIONS = [[[1]], [[1], [2, 3], [2]]];

  it.each(faults)('stops at %s in the reward', async (_, fault, kind) => {
    const reward = rewardOf('even-token', '', ({ codes }) => (codes[0] === 2 ? Promise.reject(fault) : 1));
    const error: unknown = await scoreAll(await tinyRun({ reward }), COMPLETIONS).catch((e: unknown) => e);
    expect(error).toMatchObject({ message: `${scoring}the even-token reward fails: ${fault.message}` });
    expect((error as Error).constructor).toBe(kind);
    expect((error as Error).cause).toBe(fault);
  });

  it('stops at what is no Error, with what it says', async () => {
    for (const [thrown, said] of [
      ['no network', 'no network'],
      [{ status: 503 }, '{ status: 503 }'],
      [null, 'null'],
    ]) {
      const score = () => Promise.reject(thrown as unknown as Error);
      const run = await tinyRun({ reward: { name: 'own', label: 'own', score } });
      const error: unknown = await scoreAll(run, [[[1]], []]).catch((e: unknown) => e);
      expect((error as Error).message).toMatch(new RegExp(`: the own reward fails: ${String(said)}$`));
      expect((error as Error).constructor).toBe(Error);
    }
  });

  it('stops at one in a guard', async () => {
    const guard: Guard = {
      figures: ['wer'],
      measure: ({ codes }) => (codes[0] === 2 ? Promise.reject(faults[0][1]) : Promise.resolve({ wer: 0 })),
    };
    await expect(scoreAll(await tinyRun({}), COMPLETIONS, [guard])).rejects.toThrow(
      `${scoring}the guard by word error rate fails: the engine's worker has been closed`,
    );
  });

  it('stops at one in rank or details', async () => {
    const reward = rewardOf('even-token', '', ({ codes }) => {
      if (codes[0] === 2) throw new TypeError('no rank');
      return { reward: 1, rank: 1 };
    });
    await expect(scoreAll(await tinyRun({ reward }), COMPLETIONS)).rejects.toThrow(
      `${scoring}the even-token reward fails: no rank`,
    );
  });

  it('stops at one in partner or codec, and at sound that is not finite', async () => {
    const run = await tinyRun({ reward: faultyReward });
    const partner: Run['partner'] = {
      ...run.partner,
      fill: () => Promise.reject(new Error('out of memory')),
    };
    const first = /^the run stops at sample 0 of train prompt 0, "Faster": the faulty reward fails: /;
    await expect(scoreAll({ ...run, partner }, COMPLETIONS)).rejects.toThrow(first);
    await expect(scoreAll({ ...run, partner }, COMPLETIONS)).rejects.toThrow(/: out of memory$/);
    const codec: Run['codec'] = { ...run.codec, decode: async () => new Float32Array(480).fill(NaN) };
    await expect(scoreAll({ ...run, codec }, COMPLETIONS)).rejects.toThrow(first);
    await expect(scoreAll({ ...run, codec }, COMPLETIONS)).rejects.toThrow('not finite numbers');
  });

  const GROUP = [[[1], [2], [3]], [[4]]];
  const answers: [string, unknown, string][] = [
    ['too few scores', [{ reward: 1 }], 'it gave 1 scores for 4 samples'],
    ['no list', { scores: [] }, 'it gave { scores: [] } in place of a list of scores'],
    [
      'text',
      Array(4).fill({ reward: '3' }),
      "it gave the score { reward: '3' }; a score is { reward: NUMBER }",
    ],
    [
      'what JSON does not know',
      Array(4).fill({ reward: 1n }),
      'it gave the score { reward: 1n }; a score is { reward: NUMBER }',
    ],
    [
      'promises',
      Array(4).fill(Promise.resolve({ reward: 1 })),
      'it gave the score Promise { { reward: 1 } }; a score is { reward: NUMBER }',
    ],
    ['null', Array(4).fill(null), 'it gave the score null; a score is { reward: NUMBER }'],
    ['a detail named rewards', Array(4).fill({ reward: 1, details: { rewards: 1 } }), 'it gave the score'],
  ];
  it.each(answers)('stops at %s, after some tries', async (_, answer, message) => {
    const score = vi.fn(async () => answer as Score[]);
    const run = await tinyRun({ reward: { name: 'odd', label: 'odd', score } });
    await expect(scoreAll(run, GROUP)).rejects.toThrow(
      `the run stops at 4 samples, the first sample 0 of train prompt 0, "Faster": the odd reward fails: ${message}`,
    );
    expect(score).toHaveBeenCalledTimes(SCORER_TRIES);
  });

  it('goes on with a reward that answers when it is asked again, and keeps the whole data set', async () => {
    const score = vi.fn(async (samples: readonly Sample[]) =>
      samples.map(({ codes }) => ({ reward: codes[0] })),
    );
    score.mockRejectedValueOnce(new Error('busy')).mockRejectedValueOnce(new Error('busy'));
    const run = await tinyRun({ reward: { name: 'busy', label: 'busy', score } });
    const { scored } = await scoreAll(run, GROUP);
    expect(scored.map((samples) => samples.map(({ reward }) => reward))).toEqual([[1, 2, 3], [4]]);
    expect(score).toHaveBeenCalledTimes(3);
  });

  it('is not a sample that cannot be heard, which is dropped alone', async () => {
    const run = await tinyRun({});
    const partner: Run['partner'] = { ...run.partner, maxFrames: 2 };
    const score = async (samples: readonly Sample[]) =>
      (await Promise.all(samples.map((sample) => sample.audio()))).map(({ samples: { length } }) => ({
        reward: length,
      }));
    const { scored } = await scoreAll({ ...run, partner, reward: { name: 'batch', label: '', score } }, [
      [[1], [1, 2, 3], [1, 2]],
      [],
    ]);
    expect(scored[0]).toMatchObject([
      { reward: 160 },
      { reward: null, dropped: "it is longer than the partner's 2 frames" },
      { reward: 320 },
    ]);
  });

  it('stops at details that only some samples have', async () => {
    const reward = rewardOf('partly', '', ({ codes }) => ({
      reward: 1,
      ...(codes[0] > 1 && { details: { pace: 1 } }),
    }));
    await expect(scoreAll(await tinyRun({ reward }), GROUP)).rejects.toThrow(
      'the partly reward gives some samples the details none and others pace; give all of them the same',
    );
  });

  it('goes on where samples name the same details in another order', async () => {
    const reward = rewardOf('turned', '', ({ codes }) => ({
      reward: 1,
      details: codes[0] > 1 ? { pace: 1, pitch: 2 } : { pitch: 2, pace: 1 },
    }));
    const { scored } = await scoreAll(await tinyRun({ reward }), GROUP);
    expect(scored.flat().map(({ details }) => details)).toEqual(
      GROUP.flat().map(() => ({ pace: 1, pitch: 2 })),
    );
  });

  it('ends the sampling under way', async () => {
    const reward: Reward = {
      ...evenTokenReward,
      score: () => Promise.reject(new Error('the server is gone')),
    };
    const run = await tinyRun({ reward });
    const scoring = createScoring(run, { split: 'train', prompts: run.train });
    for (let sample = 0; sample < 16; sample++) scoring.add(completion(run, 0, sample, [1]));
    await vi.waitFor(() => {
      expect(() => scoring.add(completion(run, 0, 16, [1]))).toThrow('the server is gone');
    });
  });

  it('stops at one when it scores a recording of the data set', async () => {
    const run = await tinyRun({});
    const recordings = run.train.map(({ item }) => item.src_encodec[0]);
    const reward = rewardOf('even-token', '', ({ codes }) =>
      recordings.includes(codes) ? Promise.reject(faults[1][1]) : 1,
    );
    await expect(createAudioExamples({ ...run, reward }).addPrompts()).rejects.toThrow(
      'the even-token reward fails at a recording for "Faster": score is not a function',
    );
    const refusing = rewardOf('even-token', '', () => Promise.reject(new Error('it is out of order')));
    // What a person is told in a sentence is a plain Error.
    await expect(createAudioExamples({ ...run, reward: refusing }).addPrompts()).rejects.toSatisfy(
      isPlainError,
    );
    const stop = new AbortController();
    const interrupted = rewardOf('even-token', '', () => {
      stop.abort(new Error('stop'));
      return Promise.reject(new Error('it was ended'));
    });
    const stopped = { ...run, reward: interrupted, signal: stop.signal };
    await expect(createAudioExamples(stopped).addPrompts()).rejects.toThrow(/^stop$/);
  });

  it('is not waited for at a recording once the run is stopped', async () => {
    const stop = new AbortController();
    const reward = rewardOf('endless', '', () => new Promise(() => undefined));
    const run = await tinyRun({ reward, signal: stop.signal });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let ended: unknown;
      createAudioExamples(run)
        .addPrompts()
        .catch((error: unknown) => (ended = error));
      await vi.advanceTimersByTimeAsync(0);
      stop.abort(new Error('stop'));
      await vi.advanceTimersByTimeAsync(ENDING_MS);
      expect(ended).toMatchObject({ message: 'stop' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('leaves a run that goes on to the same files', async () => {
    const record = async (
      run: Run,
      events: AsyncGenerator<RunEvent>,
      resumed?: { record: RunRecord; how: string },
    ) => {
      for await (const event of recordRun(events, { ...run, resumed }))
        if (event.type === 'evaluated') evaluations += 1;
    };
    let evaluations = 0;
    const whole = await tinyRun({});
    await record(whole, iterate(whole));

    evaluations = 0;
    const dying: Reward = {
      ...evenTokenReward,
      // Of the second iteration's samples.
      score: async (samples) => {
        if (evaluations === 4) throw new FailedSample(samples[0], faults[2][1]);
        return evenTokenReward.score(samples);
      },
    };
    const run = await tinyRun({ reward: dying });
    const start = new Map(run.policy.weights);
    await expect(record(run, iterate(run))).rejects.toThrow(faults[2][1].message);
    const { directories } = run;
    const failed = await readRun(directories.outputDirectory);
    expect(failed.record).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(
        /^the run stops at sample \d of train prompt \d, "Faster": the even-token reward fails: Array/,
      ),
    });
    expect(await readdir(directories.outputDirectory)).not.toContain('data_iter_1.json');

    const plan = await findResumePoint(directories, failed.events);
    expect(plan.point?.iteration).toBe(1);
    const { weights } = await loadPretrained(plan.policy!);
    for (const name of start.keys()) run.policy.weights.set(name, weights.get(name)!);
    const earlier = await cutRecord(directories, failed.record, plan.events);
    const again = { ...run, reward: evenTokenReward };
    await record(again, iterate(again, plan.point), { record: earlier, how: plan.description });
    for (const [place, file] of [
      ['outputDirectory', 'data_iter_1.json'],
      ['modelDirectory', 'iter_1/dpo_model/model.safetensors'],
      ['modelDirectory', 'metrics.jsonl'],
    ] as const) {
      const [expected, found] = await Promise.all(
        [whole, run].map((each) => readFile(join(each.directories[place], file))),
      );
      expect(found.equals(expected), file).toBe(true);
    }
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
    const reward = rewardOf('choosy', 'choosy', ({ item, codes }) => (item === first ? null : codes.length));
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
    // What has no reward is no 0.
    const evaluated = events.find((event) => event.type === 'evaluated');
    expect(evaluated).toMatchObject({ split: 'train', promptMeans: [null, expect.any(Number)] });
    expect(evaluated!.bestOfN).toHaveLength(evaluated!.lengths.length / 2);
    expect(evaluated!.bestOfN![0]).toBeCloseTo(evaluated!.promptMeans[1]!, 9);
    expect(evaluated!.bestOfN!.at(-1)).toBe(Math.max(...evaluated!.rewards));
  });

  it('trains towards the samples of the higher reward, and tells the mean of all that pairs are made of', async () => {
    const given: number[] = [];
    const squares = (codes: readonly number[]) => codes.reduce((sum, code) => sum + code ** 2, 0);
    const reward = rewardOf('squares', 'sum of squares', ({ codes }) => {
      given.push(squares(codes));
      return given.at(-1)!;
    });
    const events: RunEvent[] = [];
    const run = await tinyRun({ reward });
    const preparing = preparePairs(run, 0);
    let next = await preparing.next();
    for (; !next.done; next = await preparing.next()) events.push(next.value);
    expect(next.value).toHaveLength(2);
    for (const { row, ids } of next.value) {
      const first = run.policy.tokenizer.codeId(0, 0);
      const rewardOfIds = (labels: readonly number[]) => squares(labels.slice(1, -1).map((id) => id - first));
      expect(ids.rewards).toEqual({ chosen: rewardOfIds(ids.chosen), rejected: rewardOfIds(ids.rejected) });
      expect(ids.rewards!.chosen).toBeGreaterThan(ids.rewards!.rejected);
      expect(row).toMatchObject({ chosenReward: ids.rewards!.chosen, rejectedReward: ids.rewards!.rejected });
    }
    const mean = given.reduce((sum, value) => sum + value, 0) / given.length;
    expect(events.find(({ type }) => type === 'scored')).toMatchObject({
      scored: given.length,
      averageReward: expect.closeTo(mean, 9),
    });
  });

  it('counts the possible pairs of all prompts, and each that was not made', async () => {
    const run = await tinyRun({}, { minChosen: 0 });
    let paired: Extract<RunEvent, { type: 'paired' }> | undefined;
    for await (const event of preparePairs(run, 0)) if (event.type === 'paired') paired = event;
    // Two prompts of four samples, one of which is empty.
    expect(paired).toMatchObject({ considered: 6 + 3, pairs: 2 });
    const dropped = Object.values(paired!.dropped!);
    expect(dropped.reduce((sum, count) => sum + count, 0)).toBe(6 + 3 - 2);
  });

  it('stops before anything of the iteration is saved when a reward is not a number', async () => {
    const run = await tinyRun({}, { iterations: 1 });
    let evaluations = 0;
    const reward = rewardOf('failing', 'failing', ({ codes }) => (evaluations === 2 ? NaN : codes.length));
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

  it.each([
    ['evaluation of iteration 0', 3, 'iteration 0, and trained'],
    ['samples of iteration 1', 5, 'iteration 0, and trained'],
    ['evaluation of iteration 1', 6, 'iteration 1, and trained'],
  ])(
    'comes to the same end when it goes on where no sample can be scored in the %s',
    async (_, from, iteration) => {
      const run = await tinyRun({}, { iterations: 2 });
      let answers = 0;
      const reward = rewardOf('failing', 'failing', ({ codes }) => (answers >= from ? null : codes.length));
      const running = async () => {
        for await (const event of iterate({ ...run, reward }))
          if (event.type === 'evaluated' || event.type === 'scored') answers += 1;
      };
      const error = await running().catch((thrown: unknown) => thrown);
      expect(isDivergence(error)).toBe(true);
      expect((error as Error).message).toMatch(
        /^none of the \d+ samples could be scored with the failing reward: /,
      );
      expect((error as Error).message).toContain(`so the policy writes since ${iteration} the same way`);
    },
  );

  it('may be mended where none of the samples before the first training can be scored', async () => {
    for (const from of [0, 2]) {
      const run = await tinyRun({}, { iterations: 1 });
      let evaluations = 0;
      const reward = rewardOf('failing', 'failing', ({ codes }) =>
        evaluations >= from ? null : codes.length,
      );
      const running = async () => {
        for await (const event of iterate({ ...run, reward }))
          if (event.type === 'evaluated') evaluations += 1;
      };
      const error = await running().catch((thrown: unknown) => thrown);
      expect((error as Error).message).toMatch(/the reward gives it no score$/);
      expect(isDivergence(error)).toBe(false);
    }
  });

  it('tells the guards after every evaluation, and warns where one falls while the reward rises', async () => {
    let evaluations = 0;
    const rising = rewardOf(
      'rising',
      'rising',
      ({ codes }) => 1000 * evaluations + codes.reduce((sum, code) => sum + code, 0),
    );
    const measure = async () => ({ dnsmos: 3 - evaluations, wer: 0.25 });
    const falling: Guard = { figures: ['dnsmos', 'wer', 'similarity'], measure };
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
    const blind = 'the speaker similarity could not be measured of any sample: no guard by it';
    expect(guarded.map(({ warnings }) => warnings)).toEqual([
      [blind],
      ...[1, 2].map(() => [blind, expect.stringContaining('DNSMOS')]),
    ]);
    const { examples } = await readAudioIndex(run.directories.outputDirectory);
    const heldOut = examples.filter(({ role, split }) => role === 'trained' && split === 'test');
    expect(heldOut.map(({ wer }) => wer)).toEqual([0.25, 0.25, 0.25]);
  });
});
