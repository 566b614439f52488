import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { createAudioExamples, readAudioIndex } from '../../lib/experiment/audio-examples.js';
import type { Evaluation } from '../../lib/experiment/evaluate.js';
import { readDataFile } from '../../lib/run/data-file.js';
import type { RunEvent } from '../../lib/run/events.js';
import { iterate } from '../../lib/experiment/iterate.js';
import { recordRun } from '../../lib/run/record.js';
import type { Run } from '../../lib/experiment/run.js';
import { rewardOf } from '../../lib/reward/reward.js';
import { copyWeights } from '../support/random-policy.js';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { pairOf } from '../../lib/experiment/training-pairs.js';
import { createTinyRun } from './tiny-run.js';

const roots: string[] = [];
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));

async function tinyRun(parameters?: Record<string, unknown>): Promise<Run> {
  const run = await createTinyRun(parameters);
  roots.push(join(run.directories.modelDirectory, '..', '..'));
  return run;
}

async function collect(run: Run): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of recordRun(iterate(run), run)) events.push(event);
  return events;
}

/** Events as "type iteration split", without progress. */
function outline(events: RunEvent[]): string[] {
  return events
    .filter(({ type }) => type !== 'progress')
    .map((event) =>
      [
        event.type,
        ...('iteration' in event ? [event.iteration] : []),
        ...('split' in event ? [event.split] : []),
      ].join(' '),
    );
}

/** What the first iteration warns of until its policy is saved. */
function warnedBeforeSaving(events: RunEvent[]): string[] {
  const saved = events.findIndex(({ type }) => type === 'saved');
  return events.slice(0, saved).flatMap((event) => (event.type === 'warned' ? event.about : []));
}

async function readFiles(directory: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const path = join(directory, name);
    if ((await stat(path)).isFile()) files.set(relative(directory, path), await readFile(path));
  }
  return files;
}

const iterationOutline = (k: number) => [
  `sampled ${k}`,
  `scored ${k}`,
  `paired ${k}`,
  `step ${k}`,
  `validated ${k}`,
  `saved ${k}`,
  `evaluated ${k} train`,
  `evaluated ${k} test`,
];

describe('iterate', () => {
  let run: Run;
  let events: RunEvent[];
  let firstWeights: Run['policy']['weights'];
  beforeAll(async () => {
    const { clock, ...others } = await tinyRun();
    // A clock begins anywhere.
    run = { ...others, clock: { ...clock, seconds: () => 1e6 + clock.seconds() } };
    firstWeights = copyWeights(run.policy.weights);
    events = await collect(run);
  });

  it('evaluates, then samples, scores, pairs, trains, saves and evaluates in each iteration', () => {
    expect(outline(events)).toEqual([
      'started',
      'evaluated -1 train',
      'evaluated -1 test',
      ...iterationOutline(0),
      ...iterationOutline(1),
      'finished',
    ]);
    const evaluated = events.find(({ type }) => type === 'evaluated');
    expect(evaluated).toMatchObject({ statistics: { count: 4 } });
    for (const event of events) {
      if ('seconds' in event) expect(event.seconds, event.type).toBeLessThan(1e5);
      if (event.type === 'progress' && (event.stage === 'sample' || event.stage === 'evaluate'))
        expect('split' in event, event.stage).toBe(event.stage === 'evaluate');
    }
  });

  it('writes data, checkpoints and audio', async () => {
    const { modelDirectory, outputDirectory } = run.directories;
    const models = [...(await readFiles(modelDirectory)).keys()];
    for (const k of [0, 1]) {
      for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) {
        expect(models).toContain(`iter_${k}/dpo_model/${name}`);
      }
      const rows = await readDataFile(join(outputDirectory, `data_iter_${k}.json`));
      expect(rows).toHaveLength(2);
      for (const { chosenReward, rejectedReward, source, details } of rows) {
        expect(chosenReward).toBeGreaterThan(rejectedReward);
        expect(source).toHaveLength(3);
        expect(details.chosen_even_percents * 5).toBe(chosenReward);
        expect(details.rejected_even_percents * 5).toBe(rejectedReward);
      }
    }
    const { examples } = await readAudioIndex(outputDirectory);
    for (const k of [0, 1]) {
      const [{ chosen, rejected, ...row }] = await readDataFile(join(outputDirectory, `data_iter_${k}.json`));
      expect(examples.filter(({ iteration }) => iteration === k)).toMatchObject([
        { role: 'chosen', reward: row.chosenReward, codes: chosen },
        { role: 'rejected', reward: row.rejectedReward, codes: rejected },
      ]);
    }
    const files = [...(await readFiles(outputDirectory)).keys()];
    expect(files.filter((name) => name.endsWith('.wav'))).toEqual(examples.map(({ file }) => file).sort());
    expect(examples.filter(({ standing }) => !standing).map(({ role }) => role)).toEqual([
      ...['source', 'target', 'source', 'target'],
      ...['chosen', 'rejected', 'chosen', 'rejected'],
      ...['original', 'trained'],
    ]);
    const ranked = examples.filter(({ standing }) => standing);
    expect(ranked.map(({ file }) => file)).toEqual(
      ['test', 'train'].flatMap((split) =>
        ['original', 'trained'].flatMap((role) =>
          ['best', 'worst'].map((standing) => `audio/${split}_0_${role}_${standing}.wav`),
        ),
      ),
    );
  });

  it('trains the policy and saves it as it is then', async () => {
    const name = 'model.decoder.layers.0.fc1.weight';
    expect(run.policy.weights.get(name)!.data).not.toEqual(firstWeights.get(name)!.data);
    const saved = await readSafetensors(
      join(run.directories.modelDirectory, 'iter_1/dpo_model/model.safetensors'),
    );
    expect(saved.get(name)!.data).toEqual(run.policy.weights.get(name)!.data);
  });

  it('writes the same files for the same seed and others for another', async () => {
    const [same, other] = [await tinyRun(), await tinyRun({ seed: 43 })];
    for (const again of [same, other]) await collect(again);
    const timed = ['run.json', 'log_training.log'];
    for (const directory of ['modelDirectory', 'outputDirectory'] as const) {
      const files = await Promise.all([run, same, other].map((r) => readFiles(r.directories[directory])));
      for (const map of files) timed.forEach((name) => map.delete(name));
      expect(files[0].size).toBeGreaterThan(5);
      expect(files[1]).toEqual(files[0]);
      expect(files[2]).not.toEqual(files[0]);
    }
  });

  it('trains and validates on a single pair, where there is no other', async () => {
    const run = await tinyRun({ iterations: 1 });
    const events = await collect({ ...run, train: run.train.slice(0, 1) });
    expect(events.find(({ type }) => type === 'paired')).toMatchObject({ pairs: 1, skipped: 0 });
    expect(outline(events)).toContain('step 0');
    expect(outline(events)).toContain('validated 0');
  });

  it.each(['start', 'none'])('measures implicit rewards against the reference %s', async (reference) => {
    const events = await collect(await tinyRun({ iterations: 1, reference }));
    const step = events.find((event) => event.type === 'step');
    // Before the first step the policy is where it starts.
    expect(step!.metrics['rewards/chosen'] === 0).toBe(reference === 'start');
  });

  it('warns of what its training did, before the policy is saved', async () => {
    const warningsOf = async (parameters: Record<string, unknown>) =>
      warnedBeforeSaving(await collect(await tinyRun({ iterations: 1, ...parameters })));
    const moving = { reference: 'moving', referenceSteps: 2 };
    expect(await warningsOf({ ...moving, warmupSteps: 9 })).toEqual(['reference', 'warmup']);
    expect(await warningsOf({ epochs: 9, learningRate: 0.3 })).toEqual(['likelihood']);
  });

  /** Of a policy whose evaluation is worse once the first iteration is saved: what it is warned of from then on. */
  async function warnedOfWorse(parameters: Record<string, unknown>, isLiked = true): Promise<string[]> {
    const { sampler, ...others } = await tinyRun({ iterations: 1, ...parameters });
    let isTrained = false;
    const run: Run = {
      ...others,
      // Of one of two held-out prompts.
      reward: rewardOf('fading', 'fading', ({ item, codes }) =>
        isTrained && item === others.test[0].item
          ? { dropped: 'it fades' }
          : (isLiked ? codes.length + codes[0] / 10 : 0) + Number(isTrained),
      ),
      guards: [{ figures: ['dnsmos'], measure: () => Promise.resolve({ dnsmos: isTrained ? 1 : 2 }) }],
      sampler: {
        ...sampler,
        async *sample(...asked) {
          for await (const event of sampler.sample(...asked))
            yield isTrained && event.type === 'completion' ? { ...event, finished: false } : event;
        },
      },
    };
    const warned: string[] = [];
    for await (const event of iterate(run)) {
      if (event.type === 'warned' && isTrained) warned.push(event.about);
      if (event.type === 'guarded' && event.warnings.length > 0) warned.push('guard');
      if (event.type === 'stopped') warned.push('stopped');
      isTrained ||= event.type === 'saved';
    }
    return warned;
  }

  it('warns of a policy that does not end any more, and of samples that have no score any more', async () => {
    expect(await warnedOfWorse({})).toEqual(['guard', 'endings', 'unscored']);
    const stopping = { iterations: 2, earlyStopping: 'guard' };
    expect(await warnedOfWorse(stopping)).toEqual(['guard', 'endings', 'unscored', 'stopped']);
  });

  it('blames no training that changed nothing: one without pairs, or whose only step has no learning rate', async () => {
    const stopping = { iterations: 2, earlyStopping: 'guard' };
    expect(await warnedOfWorse(stopping, false)).toEqual(['spread', 'pairs']);
    const once = { epochs: 1, batchSize: 8, warmupSteps: 1 };
    expect(await warnedOfWorse({ ...once, warmupSteps: 0 })).toEqual(['guard', 'endings', 'unscored']);
    expect(await warnedOfWorse(once)).toEqual([]);
  });

  it('goes on without training where no prompt gives a pair, and says why', async () => {
    const indifferent = rewardOf('same', 'same', () => 1);
    const run = await tinyRun({ iterations: 1 });
    const before = copyWeights(run.policy.weights);
    const events = await collect({ ...run, reward: indifferent });
    expect(outline(events)).not.toContain('step 0');
    expect(outline(events)).toContain('saved 0');
    expect(events.find(({ type }) => type === 'paired')).toMatchObject({
      pairs: 0,
      skipped: 2,
      skippedReasons: [
        expect.stringMatching(/prompt 0: all \d samples rank the same/),
        expect.stringContaining('prompt 1: '),
      ],
    });
    expect(warnedBeforeSaving(events)).toEqual(['spread', 'pairs']);
    expect(run.policy.weights).toEqual(before);
    // A policy that is as it was writes the same held-out samples: no chance makes a change of none.
    const written = events.flatMap((event) =>
      event.type === 'evaluated' && event.split === 'test' ? [event.lengths] : [],
    );
    expect(written).toHaveLength(2);
    expect(written[1]).toEqual(written[0]);
  });

  it('frees what writes samples before it trains', async () => {
    const { sampler, partner, ...others } = await tinyRun({ iterations: 1 });
    const told: string[] = [];
    const run: Run = {
      ...others,
      sampler: { ...sampler, release: async () => void told.push('sampler') },
      partner: { ...partner, releaseWeights: async () => void told.push('partner') },
    };
    for await (const { type } of iterate(run)) if (type === 'paired' || type === 'step') told.push(type);
    expect(told).toEqual(['paired', 'sampler', 'partner', 'step']);
  });

  it('saves where a training goes on from every checkpointMinutes', async () => {
    const run = await tinyRun({ iterations: 1, epochs: 5, checkpointMinutes: 1 });
    let step = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => 40_000 * step);
    let saved: string[] = [];
    for await (const event of iterate(run)) {
      if (event.type !== 'step') continue;
      ({ step } = event);
      const folder = join(run.directories.modelDirectory, 'iter_0', 'training');
      if (step === 5) saved = await readdir(folder);
    }
    vi.restoreAllMocks();
    expect(saved.sort()).toEqual(['step_2', 'step_4']);
    // An iteration that is over keeps none.
    expect(await readdir(join(run.directories.modelDirectory, 'iter_0'))).toEqual(['dpo_model']);
  });

  it('trains on made-up pairs, the same in each iteration, when asked to', async () => {
    const run = await tinyRun({ syntheticFirstIteration: true, maxNewTokens: 6 });
    run.policy.config.max_position_embeddings = 140;
    const weights = run.policy.weights;
    for (const part of ['encoder', 'decoder']) {
      const name = `model.${part}.embed_positions.weight`;
      weights.set(name, { shape: [142, 8], dtype: 'float32', data: new Float32Array(142 * 8).fill(0.01) });
    }
    const events = await collect(run);
    expect(outline(events)).not.toContain('sampled 0');
    const paired = events.filter(({ type }) => type === 'paired');
    expect(paired).toMatchObject([
      { iteration: 0, dataFile: 'data_iter_0.json' },
      { iteration: 1, dataFile: 'data_iter_0.json' },
    ]);
    expect(await readdir(run.directories.outputDirectory)).not.toContain('data_iter_1.json');
  });

  it('stops when aborted and leaves only complete files', async () => {
    const abort = new AbortController();
    const run = { ...(await tinyRun()), signal: abort.signal };
    const seen: RunEvent[] = [];
    const running = async () => {
      for await (const event of recordRun(iterate(run), run)) {
        seen.push(event);
        if (event.type === 'step' && event.iteration === 1) abort.abort();
      }
    };
    await expect(running()).rejects.toThrow(/abort/i);
    expect(outline(seen)).toContain('saved 0');
    // Where its training goes on from.
    expect(await readdir(join(run.directories.modelDirectory, 'iter_1'))).toEqual(['training']);
    const record: unknown = JSON.parse(
      await readFile(join(run.directories.modelDirectory, 'run.json'), 'utf8'),
    );
    expect(record).toMatchObject({ state: 'interrupted', seed: 42 });
  });
});

describe('audio examples', () => {
  const completion = (codes: number[], reward: number): ScoredCompletion => ({
    codes,
    reward,
    rank: reward,
    finished: true,
    details: {},
    figures: {},
  });
  const filesIn = async ({ directories }: Run) =>
    (await readAudioIndex(directories.outputDirectory)).examples.map(({ file, sample }) => [file, sample]);

  it('are of what has a sound: the first sample that is not empty, and none that the partner is too small for', async () => {
    const run = await tinyRun();
    const small = { ...run, partner: { ...run.partner, maxFrames: 3 } };
    const samples = [
      [
        completion([], 9),
        { ...completion([1, 2], 1), figures: { wer: 0.5 }, details: { wer: 0.25 } },
        completion([1, 2, 3, 4], 8),
        { ...completion([2, 1, 0], 2), details: { wer: 0.75 } },
      ],
    ];
    const evaluation = { train: [], test: samples } as Partial<Evaluation> as Evaluation;
    const examples = createAudioExamples({ ...small, train: [] });
    await examples.addComparison(evaluation, { ...evaluation, test: [[completion([1, 2, 3, 4], 1)]] });
    expect(await filesIn(run)).toEqual([
      ['audio/test_0_original.wav', 1],
      ['audio/test_0_original_best.wav', 3],
      ['audio/test_0_original_worst.wav', 1],
    ]);
    const nothing = { ...evaluation, test: [[completion([], 1), completion([], 1)]] };
    await examples.addComparison(evaluation, nothing);
    expect(await filesIn(run)).toHaveLength(3);
    // By the guard where there is one, else by the reward.
    const written = await readAudioIndex(run.directories.outputDirectory);
    expect(written.examples.map(({ wer }) => wer)).toEqual([0.5, 0.75, 0.5]);
  });

  it('of pairs are those of the first prompts, of prompts that read the same the first one', async () => {
    const run = await tinyRun();
    const [first, second] = run.train;
    const row = {
      instruction: 'Faster',
      source: [0, 1, 2],
      chosen: [2, 4],
      rejected: [1],
      chosenReward: 2,
      rejectedReward: 1,
      averageReward: 1.5,
      details: { chosen_wer: 0.25, rejected_wer: 0.5 },
    };
    const pairs = [pairOf(run.policy, second, row)];
    await createAudioExamples({ ...run, train: [first, { ...second, ids: first.ids }] }).addPairs(0, pairs);
    expect((await filesIn(run)).map(([file]) => file)).toEqual([
      'audio/iter_0_train_0_chosen.wav',
      'audio/iter_0_train_0_rejected.wav',
    ]);
    const { examples } = await readAudioIndex(run.directories.outputDirectory);
    expect(examples.map(({ wer }) => wer)).toEqual([0.25, 0.5]);
  });

  it('have reward and word error rate of the recordings', async () => {
    const run = await tinyRun();
    const reward = rewardOf('words', 'words', () => ({ reward: 2, details: { wer: 0.25 } }));
    await createAudioExamples({ ...run, reward }).addPrompts();
    const { examples } = await readAudioIndex(run.directories.outputDirectory);
    for (const example of examples) expect(example).toMatchObject({ reward: 2, wer: 0.25 });
  });

  it('have no reward where a recording is given none that is a number', async () => {
    const run = await tinyRun();
    const reward = rewardOf('endless', 'endless', () => Infinity);
    await createAudioExamples({ ...run, reward }).addPrompts();
    const { examples } = await readAudioIndex(run.directories.outputDirectory);
    expect(examples.map(({ role, reward }) => [role, reward])).toEqual([
      ...['source', 'target', 'source', 'target'].map((role) => [role, undefined]),
    ]);
  });
});
