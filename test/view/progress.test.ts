import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { summarize } from '../../lib/run/statistics.js';
import { advanceProgress, describeProgress, type ProgressState } from '../../lib/view/progress.js';
import { metrics } from './fixture-run.js';

function play(timeline: [number, RunEvent][]): ProgressState {
  let state: ProgressState | undefined;
  for (const [seconds, event] of timeline) state = advanceProgress(state, event, seconds);
  return state!;
}

const sampling = (done: number): RunEvent => ({
  type: 'progress',
  iteration: 0,
  stage: 'sample',
  done,
  total: 100,
});
const step = (number: number): RunEvent => ({
  type: 'step',
  iteration: 0,
  epoch: 0,
  step: number,
  steps: 9,
  metrics: metrics(0.5),
});

describe('progress', () => {
  it('tells rate and remaining time of the job under way', () => {
    const description = describeProgress(
      play([
        [10, sampling(0)],
        [12, sampling(20)],
        [15, sampling(50)],
      ]),
    );
    expect(description).toEqual({
      ratePerSecond: 10,
      remainingSeconds: 5,
      fields: { rate: '10/s', remaining: '5.0 s left' },
      detail: '10/s, 5.0 s left',
      text: 'iteration 0: sampling 50/100 samples, 10/s, 5.0 s left',
    });
  });

  it('starts anew with each job, at the time of the last event before it', () => {
    const state = play([
      [0, sampling(0)],
      [5, sampling(100)],
      [8, step(1)],
      [9.5, step(3)],
    ]);
    expect(describeProgress(state)).toMatchObject({ ratePerSecond: 3 / 4.5, remainingSeconds: 9 });
  });

  it('shows the last loss and reward', () => {
    const rewards = [2, 3];
    const state = play([
      [0, { type: 'progress', iteration: -1, stage: 'evaluate', split: 'test', done: 2, total: 2 }],
      [
        1,
        {
          type: 'evaluated',
          iteration: -1,
          split: 'test',
          rewards,
          promptMeans: rewards,
          lengths: [1, 1],
          statistics: summarize(rewards),
          droppedReasons: [],
          seconds: 1,
        },
      ],
      [2, step(1)],
      [3, step(9)],
    ]);
    expect(describeProgress(state).text).toBe(
      'iteration 0: training 9/9 steps, 4.5/s, loss 0.500, reward 2.50',
    );
  });

  it('says nothing of speed before the first unit is done', () => {
    expect(describeProgress(play([[3, sampling(0)]]))).toEqual({
      ratePerSecond: undefined,
      remainingSeconds: undefined,
      fields: {},
      detail: '',
      text: 'iteration 0: sampling 0/100 samples',
    });
  });
});
