import { describe, expect, it } from 'vitest';
import { makePairs } from '../../lib/dpo/pairs.js';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import {
  isLearning,
  warnOfEndings,
  warnOfUnscored,
  warnOfLikelihood,
  warnOfNoPairs,
  warnOfReference,
  warnOfSpread,
  warnOfWarmup,
} from '../../lib/experiment/warnings.js';
import type { RunEvent } from '../../lib/run/events.js';

type StepEvent = Extract<RunEvent, { type: 'step' }>;

describe('spread', () => {
  const prompts = (alike: number, others: number) => [
    ...Array.from({ length: alike }, () =>
      makePairs(
        [1, 1, 1].map((reward) => ({ reward, rank: reward })),
        1,
      ),
    ),
    ...Array.from({ length: others }, () =>
      makePairs(
        [1, 2].map((reward) => ({ reward, rank: reward })),
        1,
      ),
    ),
  ];

  it('is warned of where more than half of the prompts rank all samples the same', () => {
    expect(warnOfSpread(3, prompts(2, 2))).toEqual([]);
    const [{ iteration, about, message }] = warnOfSpread(3, prompts(3, 2));
    expect({ iteration, about }).toEqual({ iteration: 3, about: 'spread' });
    expect(message).toContain('the samples of 3 of 5 prompts have no spread');
    const someAlike = [1, 1, 2].map((reward) => ({ reward, rank: reward }));
    const pairs = makePairs(someAlike, 9, { pairing: 'above-margin' });
    expect(pairs).toMatchObject({ considered: 3, dropped: { tie: 1 } });
    expect(warnOfSpread(0, [pairs, pairs])).toEqual([]);
  });

  it('is of samples that are all good, or all bad, too', () => {
    const good = [2, 3].map((reward) => ({ reward, rank: reward }));
    const dropped = (minChosen: number) => makePairs(good, 1, { dropUniform: true, minChosen });
    const [{ message }] = warnOfSpread(0, [dropped(2), dropped(4), dropped(3)]);
    expect(message).toContain('the samples of 2 of 3 prompts');
  });

  it('counts no prompt whose samples could not be scored', () => {
    const unscored = makePairs([{ reward: null, rank: null }], 1);
    expect(warnOfSpread(0, [unscored, unscored, unscored])).toEqual([]);
  });
});

it('an iteration without pairs is warned of', () => {
  expect(warnOfNoPairs(2, 1)).toEqual([]);
  const [{ iteration, about, message }] = warnOfNoPairs(2, 0);
  expect({ iteration, about }).toEqual({ iteration: 2, about: 'pairs' });
  expect(message).toContain('nothing is trained');
});

describe('likelihood', () => {
  /** Two steps an epoch; `logps` are the means of the epochs. */
  const training = (logps: number[], margins: number[]): StepEvent[] =>
    logps.flatMap((logp, epoch) =>
      [-1, 1].map((offset, i) => ({
        ...({ type: 'step', iteration: 1, epoch, step: 2 * epoch + i + 1, steps: 2 * logps.length } as const),
        metrics: {
          loss: 0,
          'logps/chosen': logp + offset * (epoch + 1),
          'rewards/margins': margins[epoch] - offset,
        },
      })),
    );

  it('is warned of where it falls by more than one nat a token while margins grow', () => {
    const [{ message }] = warnOfLikelihood(1, training([-100, -120, -201], [0, 1, 2]), 100, {});
    expect(message).toContain('fell by 1.01 a token since the first epoch (limit 1)');
    expect(message).toContain('rpoAlpha');
    const [unpaired] = warnOfLikelihood(1, training([-100, -120, -201], [0, 1, 2]), 100, {
      isUnpaired: true,
    });
    expect(unpaired.message).toMatch(/; raise beta, or take a smaller learningRate or fewer epochs$/);
    expect(warnOfLikelihood(1, training([-100, -120, -199], [0, 1, 2]), 100, {})).toEqual([]);
    for (const last of [-1, 0])
      expect(warnOfLikelihood(1, training([-100, -120, -201], [0, 1, last]), 100, {})).toEqual([]);
  });

  it('is not judged by one epoch, by no step, or where a loss does not tell it', () => {
    expect(warnOfLikelihood(1, training([-100], [0]), 1, {})).toEqual([]);
    expect(warnOfLikelihood(1, [], 1, {})).toEqual([]);
    const untold = training([-100, -200], [0, 1]).map((step) => ({ ...step, metrics: { loss: 0 } }));
    expect(warnOfLikelihood(1, untold, 1, {})).toEqual([]);
  });
});

it('a moving reference is warned of where it moves when the training is over', () => {
  const moving = { reference: 'moving', referenceSteps: 6 } as const;
  const loss = { needsReference: true };
  expect(warnOfReference(0, 7, moving, loss)).toEqual([]);
  expect(warnOfReference(0, 0, moving, loss)).toEqual([]);
  expect(warnOfReference(0, 6, { ...moving, reference: 'start' }, loss)).toEqual([]);
  expect(warnOfReference(0, 6, moving, { needsReference: false })).toEqual([]);
  const [{ iteration, about, message }] = warnOfReference(2, 6, moving, loss);
  expect({ iteration, about }).toEqual({ iteration: 2, about: 'reference' });
  expect(message).toContain(
    'it moves after every 6 optimizer steps (referenceSteps), and this training had 6,',
  );
});

it('a warm-up that takes the whole training is warned of', () => {
  expect(warnOfWarmup(0, 6, { warmupSteps: 0 })).toEqual([]);
  expect(warnOfWarmup(0, 6, { warmupSteps: 5 })).toEqual([]);
  expect(warnOfWarmup(0, 0, { warmupSteps: 5 })).toEqual([]);
  expect(warnOfWarmup(0, 2, { warmupSteps: 0.5 })).toEqual([]);
  // A tenth of one step is rounded up to it.
  const [{ iteration, about, message }] = warnOfWarmup(3, 1, { warmupSteps: 0.1 });
  expect({ iteration, about }).toEqual({ iteration: 3, about: 'warmup' });
  expect(message).toContain('it rises for 1 step (warmupSteps), and this training had 1 step,');
  expect(warnOfWarmup(0, 6, { warmupSteps: 6 })).toHaveLength(1);
});

describe('endings', () => {
  /** @param unfinished how many of the prompt's samples */
  const evaluation = (...unfinished: number[]) => {
    const prompts = unfinished.map((count) =>
      Array.from({ length: 10 }, (_, i) => ({ finished: i >= count }) as ScoredCompletion),
    );
    return { train: prompts.slice(0, 1), test: prompts.slice(1) };
  };

  it('are warned of where the share of cut-off samples rises by more than 10 points', () => {
    expect(warnOfEndings(0, evaluation(0, 0), evaluation(2, 0), {})).toEqual([]);
    expect(warnOfEndings(0, evaluation(1, 0), evaluation(3, 0), {})).toEqual([]);
    const [{ about, message }] = warnOfEndings(0, evaluation(1, 0), evaluation(4, 0), {});
    expect(about).toBe('endings');
    expect(message).toContain(
      '20 % of the samples did not end, 5 % before training (2 prompts cannot tell it from chance): the policy may be forgetting how to end; evaluate on more prompts',
    );
    expect(message).toContain('rpoAlpha');
    expect(
      warnOfEndings(0, evaluation(1, 0), evaluation(4, 0), { isUnpaired: true })[0].message,
    ).not.toContain('rpoAlpha');
  });

  it('are said to be forgotten where that is no chance', () => {
    const none = evaluation(0, 0, 0, 0, 0, 0);
    const [{ message }] = warnOfEndings(0, none, evaluation(2, 3, 2, 3, 2, 3), { isUnpaired: true });
    expect(message).toMatch(
      /^25 % of the samples did not end, 0 % before training \(95 % interval over 6 prompts: 20 points to 30 points\): the policy forgets how to end; take a smaller learningRate/,
    );
    const [uneven] = warnOfEndings(0, none, evaluation(0, 9, 0, 0, 0, 0), {});
    expect(uneven.message).toMatch(/, so that it may be chance\): the policy may be forgetting how to end; /);
  });
});

it('a policy is only changed by steps that have a learning rate', () => {
  const step = { type: 'step', iteration: 0, epoch: 0, step: 1, steps: 1 } as const;
  expect(isLearning({ ...step, metrics: { loss: 1, learning_rate: 1e-9 } })).toBe(true);
  expect(isLearning({ ...step, metrics: { loss: 1, learning_rate: 0 } })).toBe(false);
  expect(isLearning({ type: 'notice', message: '' })).toBe(false);
});

it('samples without a score are warned of where their held-out share rises by more than 5 points', () => {
  const evaluation = (dropped: number) => {
    const samples = Array.from(
      { length: 40 },
      (_, i) => (i < dropped ? { dropped: 'it is empty' } : {}) as ScoredCompletion,
    );
    return { train: [samples], test: [samples.slice(0, 20), samples.slice(20)] };
  };
  expect(warnOfUnscored(0, evaluation(0), evaluation(2))).toEqual([]);
  expect(warnOfUnscored(0, evaluation(10), evaluation(12))).toEqual([]);
  const [{ about, message }] = warnOfUnscored(0, evaluation(1), evaluation(4));
  expect(about).toBe('unscored');
  expect(message).toContain(
    '10 % of the held-out samples have no score, 3 % before training (2 prompts cannot tell it from chance): they',
  );
});
