import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { earlyStopping, learningRates, type Schedule, type StoppingMetric } from '../../lib/dpo/index.js';

interface Golden {
  peak: number;
  schedules: { schedule: Schedule; steps: number; warmup: number; rates: number[] }[];
  stops: { metric: StoppingMetric; patience: number; values: number[]; after: number }[];
}
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/schedules/golden.json'), 'utf8'),
) as Golden;

const ratesOf = (schedule: Schedule, steps: number, warmupSteps: number, peak = golden.peak) => {
  const rate = learningRates(peak, { schedule, steps, warmupSteps });
  return Array.from({ length: steps }, (_, step) => rate(step));
};

describe('learning rates', () => {
  it.each(golden.schedules)(
    "are transformers': $schedule, $steps steps, $warmup of them warm-up",
    ({ schedule, steps, warmup, rates }) => {
      const found = ratesOf(schedule, steps, warmup);
      // transformers multiplies the peak by a rounded factor: one rounding more.
      for (const [step, rate] of rates.entries())
        expect(Math.abs(found[step] - rate)).toBeLessThanOrEqual(2 * Number.EPSILON * golden.peak);
    },
  );

  it('without warm-up decay linearly, to the bit as a run has always done', () => {
    const rate = learningRates(7e-4, { steps: 13 });
    for (let step = 0; step < 13; step++) expect(rate(step)).toBe((7e-4 * (13 - step)) / 13);
  });

  it('take a warm-up below 1 for a share of all steps, rounded up', () => {
    expect(ratesOf('constant', 5, 0.3, 1)).toEqual([0, 0.5, 1, 1, 1]);
    expect(ratesOf('constant', 5, 0.25, 1)).toEqual([0, 0.5, 1, 1, 1]);
    expect(ratesOf('constant', 5, 2.9, 1)).toEqual([0, 0.5, 1, 1, 1]);
    expect(ratesOf('constant', 5, 1, 1)).toEqual([0, 1, 1, 1, 1]);
  });
});

describe('early stopping', () => {
  const stopsAfter = (metric: StoppingMetric, patience: number, values: number[], known = 0) => {
    const validations = values.map((value) => ({ loss: value, 'rewards/accuracies': value }));
    const judge = earlyStopping({ metric, patience }, validations.slice(0, known));
    const stop = validations.slice(known).findIndex((validation) => judge(validation).isLast);
    return stop < 0 ? -1 : stop + known;
  };

  it.each(golden.stops)(
    "is EarlyStoppingCallback's: $metric, patience $patience, $values",
    ({ metric, patience, values, after }) => {
      expect(stopsAfter(metric, patience, values)).toBe(after);
      // Where it goes on after some validations it decides as if it had never been interrupted.
      for (let known = 1; known <= after; known++)
        expect(stopsAfter(metric, patience, values, known)).toBe(after);
    },
  );

  it('calls a validation the best that is better than all before it, the first of equal ones', () => {
    const validations = [0.5, 0.7, 0.7, 0.4, 0.8].map((value) => ({
      loss: -value,
      'rewards/accuracies': value,
    }));
    for (const metric of ['loss', 'accuracy'] as const) {
      const judge = earlyStopping({ metric, patience: 9 });
      expect(validations.map((validation) => judge(validation).isBest)).toEqual([
        ...[true, true, false, false, true],
      ]);
    }
  });

  it('by the accuracy is refused where a validation has none', () => {
    expect(() => earlyStopping({ metric: 'accuracy', patience: 1 })({ loss: 1 })).toThrow(
      'this loss gives no accuracy to stop by: stop by the loss',
    );
  });
});
