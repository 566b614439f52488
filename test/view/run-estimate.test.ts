import { expect, it } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { summarize } from '../../lib/run/statistics.js';
import { estimateRun } from '../../lib/view/run-estimate.js';

const parameters = parseParameters({
  ...{ iterations: 2, trainPrompts: 4, testPrompts: 6, numEval: 5, sampleSize: 10, pairsPerPrompt: 5 },
  ...{ epochs: 3, validationShare: 0.1, batchSize: 6 },
});
/** Of one sample, and of one pair in one pass. */
const [SAMPLE, PAIR] = [0.5, 4];
const STEPS = 9;
const PAIR_PASSES = 4 * 5 * 0.9 * 3;

type Timed = [event: RunEvent, nowSeconds: number];

const evaluated = (iteration: number, split: 'train' | 'test', seconds: number): RunEvent => ({
  ...{ type: 'evaluated', iteration, split, rewards: [1], promptMeans: [1], lengths: [1], seconds },
  ...{ statistics: summarize([1]), droppedReasons: [] },
});

/** A run in which every sample and every pair takes its time. */
function replay(): Timed[] {
  const timed: Timed[] = [];
  let now = 100;
  const evaluate = (iteration: number) => {
    for (const [split, units] of [
      ['train', 20],
      ['test', 30],
    ] as const) {
      // prettier-ignore
      for (let done = 0; done <= units; done += 5)
        timed.push([
          { type: 'progress', iteration, stage: 'evaluate', split, done, total: units },
          now + done * SAMPLE,
        ]);
      now += units * SAMPLE;
      timed.push([evaluated(iteration, split, units * SAMPLE), now]);
    }
  };
  evaluate(-1);
  for (const iteration of [0, 1]) {
    timed.push([{ type: 'progress', iteration, stage: 'sample', done: 0, total: 40 }, now]);
    now += 40 * SAMPLE;
    timed.push([{ type: 'sampled', iteration, samples: 40, tokens: 1, seconds: 40 * SAMPLE }, now]);
    timed.push([
      {
        ...{ type: 'scored', iteration, scored: 40, dropped: 0, droppedReasons: [] },
        ...{ averageReward: 1, seconds: 0 },
      },
      now,
    ]);
    for (let step = 1; step <= STEPS; step++) {
      now += (PAIR_PASSES * PAIR) / STEPS;
      timed.push([
        { type: 'step', iteration, epoch: 0, step, steps: STEPS, metrics: { loss: 1 } as never },
        now,
      ]);
    }
    timed.push([
      { type: 'saved', iteration, directory: 'x', seconds: 0, trainingSeconds: PAIR_PASSES * PAIR },
      now,
    ]);
    evaluate(iteration);
  }
  timed.push([{ type: 'finished', seconds: now - 100 }, now]);
  return timed;
}

it('guesses from the first samples, and knows once every kind of stage was seen', () => {
  const estimate = estimateRun(parameters);
  const events = replay();
  const end = events.at(-1)![1];
  const errors = events.map(([event, now]) => {
    estimate.advance(event, now);
    const remaining = estimate.remainingSeconds(now);
    return remaining === undefined ? undefined : (remaining - (end - now)) / (end - 100);
  });
  // Nothing is known before half of the first samples are there; then training is guessed by half of what it takes here.
  const half = events.findIndex(([event]) => event.type === 'progress' && event.done >= event.total / 2);
  for (const error of errors.slice(0, half)) expect(error).toBeUndefined();
  const guessed = (2 * PAIR_PASSES * (4.5 * SAMPLE - PAIR)) / (end - 100);
  const firstStep = events.findIndex(([{ type }]) => type === 'step');
  for (const error of errors.slice(half, firstStep + 1)) expect(error).toBeCloseTo(guessed, 6);
  // By the second step what is left of this training is known, and no longer guessed.
  expect(errors[firstStep + 1]).toBeCloseTo(guessed / 2, 6);
  const saved = events.findIndex(([{ type }]) => type === 'saved');
  for (const error of errors.slice(saved)) expect(error).toBeCloseTo(0, 6);
});

it('a resumed run is estimated once it works, by what its past tells', () => {
  const estimate = estimateRun(parameters);
  const events = replay();
  const resumed = events.findIndex(([event]) => event.type === 'progress' && event.iteration === 1);
  for (const [event] of events.slice(0, resumed).filter(([{ type }]) => type !== 'progress'))
    estimate.advance(event, 5000);
  expect(estimate.remainingSeconds(5000)).toBeUndefined();
  // Models are opened before it goes on.
  const [event] = events[resumed];
  estimate.advance(event, 5090);
  const left = 40 * SAMPLE + PAIR_PASSES * PAIR + 50 * SAMPLE;
  expect(estimate.remainingSeconds(5090)).toBeCloseTo(left, 6);
});

it('does not count for a sample what a resumed run opened before its first training', () => {
  const estimate = estimateRun(parameters);
  const events = replay();
  const [sampling, training] = ['sample', 'step'].map((what) =>
    events.findIndex(([event]) => (event.type === 'progress' ? event.stage : event.type) === what),
  );
  for (const [event] of events.slice(0, sampling)) if (event.type !== 'progress') estimate.advance(event, 0);
  const opened = 90 - events[sampling][1];
  for (const [event, now] of events.slice(sampling, training)) estimate.advance(event, opened + now);
  const left = 2 * PAIR_PASSES * 4.5 * SAMPLE + 2 * 50 * SAMPLE + 40 * SAMPLE;
  expect(estimate.remainingSeconds(opened + events[training - 1][1])).toBeCloseTo(left, 6);
});

it('does not count for sampling what comparing with the original policy takes before it', () => {
  const events = replay();
  const sampling = events.findIndex(([event]) => event.type === 'progress' && event.stage === 'sample');
  const [start, begin] = events[sampling] as [Extract<RunEvent, { type: 'progress' }>, number];
  const remainingAfter = (seconds: number) => {
    const estimate = estimateRun(parameters);
    for (const [event, now] of events.slice(0, sampling)) estimate.advance(event, now);
    estimate.advance({ ...start, iteration: -1, stage: 'compare', split: 'test', done: 40 }, begin + seconds);
    estimate.advance(start, begin + seconds);
    const half = begin + seconds + 20 * SAMPLE;
    estimate.advance({ ...start, done: 20 }, half);
    return estimate.remainingSeconds(half);
  };
  expect(remainingAfter(0)).toBeGreaterThan(0);
  expect(remainingAfter(60)).toBeCloseTo(remainingAfter(0)!, 6);
});

it.each([
  ['made of evaluated samples', { reuseEvaluation: true }, PAIR_PASSES],
  ['made up, one for each prompt', { syntheticFirstIteration: true }, 4 * 0.9 * 3],
])('counts no sampling where pairs are %s', (_, given, passes) => {
  const estimate = estimateRun({ ...parameters, iterations: 1, ...given });
  estimate.advance(
    { type: 'progress', iteration: -1, stage: 'evaluate', split: 'train', done: 0, total: 20 },
    0,
  );
  estimate.advance(
    { type: 'progress', iteration: -1, stage: 'evaluate', split: 'train', done: 20, total: 20 },
    10,
  );
  const left = (30 + 50) * 0.5 + passes * 4.5 * 0.5;
  expect(estimate.remainingSeconds(10)).toBeCloseTo(left, 6);
});

it('tells scoring from sampling: a training scores nothing', () => {
  const estimate = estimateRun({ ...parameters, iterations: 1 });
  const progress = (stage: 'evaluate' | 'score', done: number): RunEvent => ({
    ...{ type: 'progress', iteration: -1, stage, split: 'train', done, total: 20 },
  });
  estimate.advance(progress('evaluate', 0), 0);
  estimate.advance(progress('evaluate', 20), 10);
  estimate.advance(progress('score', 1), 13);
  // A sample takes 0.5 s and its score 3 s: 70 s for 20 of them.
  const left = 70 - 13 + (30 + 40 + 50) * 3.5 + PAIR_PASSES * 4.5 * 0.5;
  expect(estimate.remainingSeconds(13)).toBeCloseTo(left, 6);
});
