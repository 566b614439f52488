/** One loop for every objective: least squares, a supervised network and preference pairs, by what the package exports alone. */
import { describe, expect, it, vi } from 'vitest';
import {
  learningRates,
  optimize,
  tf,
  trainDpo,
  type HostTensor,
  type Objective,
  type OptimizeEvent,
  type OptimizeOptions,
  type TrainingSnapshot,
} from '../../lib/index.js';
import type { DeferredTensor } from '../../lib/engine/host-tensor.js';
import type { Device } from '../../lib/engine/index.js';
import { OPTIONS, randomPairs } from '../dpo/random-pairs.js';
import { device } from '../support/device.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';

interface Point {
  x: number;
  y: number;
}
type Metrics = { loss: number; points: number };

/** y = slope * x + offset, fitted by the mean squared error over a step's points. */
function leastSquares(): Objective<readonly Point[], { points: number }, Metrics> {
  return {
    shape: (batch) => ({ points: batch.length }),
    program: ({ points }) => ({
      inputs: {
        x: { shape: [points], dtype: 'float32' },
        y: { shape: [points], dtype: 'float32' },
      },
      targets: { share: { shape: [], dtype: 'float32' } },
      forward: ({ slope, offset, x, y }) => ({
        errors: tf.sub(tf.add(tf.mul(x, slope), offset), y),
      }),
      loss: ({ errors }, { share }) => tf.mul(tf.sum(tf.square(errors)), share),
    }),
    collate: (batch) => ({
      x: Float32Array.from(batch, ({ x }) => x),
      y: Float32Array.from(batch, ({ y }) => y),
    }),
    targets: (_, step) => ({ share: Float32Array.of(1 / step.flat().length) }),
    metrics(step, outputs) {
      const errors = outputs.flatMap((each) => [...each.errors]);
      const points = step.flat().length;
      return { loss: errors.reduce((sum, error) => sum + error ** 2, 0) / points, points };
    },
  };
}

const POINTS: Point[] = [-2, -1, 0, 1, 2, 3].map((x) => ({ x, y: 3 * x - 1 }));

const start = (): Map<string, HostTensor> =>
  new Map([
    ['slope', { shape: [1], dtype: 'float32', data: Float32Array.of(0) }],
    ['offset', { shape: [1], dtype: 'float32', data: Float32Array.of(0) }],
  ]);

async function fit(changes: Partial<OptimizeOptions<readonly Point[]>> = {}, weights = start()) {
  const steps = changes.steps ?? 200;
  const events: OptimizeEvent<readonly Point[], Metrics>[] = [];
  const options = {
    device,
    steps,
    batches: () => [POINTS],
    learningRate: learningRates(0.2, { steps }),
    maxGradNorm: 1e9,
    ...changes,
  };
  for await (const event of optimize(weights, leastSquares(), options)) events.push(event);
  const [slope, offset] = ['slope', 'offset'].map((name) => Number(weights.get(name)!.data[0]));
  return { events, slope, offset };
}

async function copyOf({ steps, tensors }: TrainingSnapshot): Promise<TrainingSnapshot> {
  const copies = new Map<string, DeferredTensor>();
  for (const [name, tensor] of tensors) {
    const data = await tensor.read();
    copies.set(name, { ...tensor, read: async () => data });
  }
  return { steps, tensors: copies };
}

describe('the loop', () => {
  it('minimizes an objective of one’s own', async () => {
    const { events, slope, offset } = await fit();
    expect(events.map(({ type }) => type)).toEqual(Array.from({ length: 200 }, () => 'step'));
    expect(slope).toBeCloseTo(3, 2);
    expect(offset).toBeCloseTo(-1, 2);
  });

  it('takes the same step of several batches as of one, whatever their sizes', async () => {
    const whole = await fit({ steps: 3 });
    const parts = await fit({
      steps: 3,
      batches: () => [POINTS.slice(0, 1), POINTS.slice(1, 4), POINTS.slice(4)],
    });
    expect(parts.slope).toBeCloseTo(whole.slope, 6);
    expect(parts.offset).toBeCloseTo(whole.offset, 6);
    expect(parts.events.map((event) => event.type === 'step' && event.metrics.points)).toEqual([6, 6, 6]);
  });

  it('prepares with the weights as they were given, each batch as a step of its own', async () => {
    const objective = leastSquares();
    const prepared: number[][] = [];
    const stepsOf: (readonly Point[])[][] = [];
    const observed: typeof objective = {
      ...objective,
      collate(batch, step) {
        stepsOf.push([...step]);
        return objective.collate(batch, step);
      },
      async prepare(forward) {
        prepared.push([...(await forward(POINTS.slice(0, 2))).errors]);
        expect(stepsOf).toEqual([[POINTS.slice(0, 2)]]);
      },
    };
    const options = { device, steps: 1, batches: () => [POINTS], learningRate: () => 0.1, maxGradNorm: 1 };
    for await (const event of optimize(start(), observed, options)) expect(event.type).toBe('step');
    // 0 - y: at -2 and -1.
    expect(prepared).toEqual([[7, 4]]);
  });

  it('stops where it prepares', async () => {
    const abort = new AbortController();
    const prepared: number[] = [];
    const observed: Objective<readonly Point[], { points: number }, Metrics> = {
      ...leastSquares(),
      async prepare(forward) {
        for (const point of POINTS) {
          await forward([point]);
          prepared.push(point.x);
          if (prepared.length === 2) abort.abort(new Error('stop'));
        }
      },
    };
    const { signal } = abort;
    const options = {
      device,
      signal,
      steps: 1,
      batches: () => [POINTS],
      learningRate: () => 0.1,
      maxGradNorm: 1,
    };
    await expect(optimize(start(), observed, options).next()).rejects.toThrow('stop');
    expect(prepared).toHaveLength(2);
  });

  it.each(['to its end', 'to its first step'])('gives back what the device held, %s', async (how) => {
    const own = device as Required<Device>;
    const releases = new Map<string, () => unknown>();
    for (const method of ['openOptimizer', device.lend ? 'lend' : 'allocate'] as const) {
      const open = own[method].bind(own) as (...args: never[]) => Promise<{ release(): Promise<void> }>;
      const noting = async (...args: never[]) => {
        const opened = await open(...args);
        releases.set(method, vi.spyOn(opened, 'release'));
        return opened;
      };
      vi.spyOn(own, method).mockImplementation(noting as never);
    }
    const frozen = { ...leastSquares(), frozen: ['offset'] };
    const options = { device, steps: 2, batches: () => [POINTS], learningRate: () => 0.1, maxGradNorm: 1 };
    for await (const _ of optimize(start(), frozen, options)) if (how === 'to its first step') break;
    vi.restoreAllMocks();
    expect(releases.size).toBe(2);
    for (const [opened, release] of releases) expect(release, opened).toHaveBeenCalledOnce();
  });

  it('validates after every so many steps, also after the last', async () => {
    const validation = { batches: [POINTS.slice(0, 2), POINTS.slice(2, 3)], everySteps: 2 };
    const { events } = await fit({ steps: 4, validation });
    expect(events.map(({ type, step }) => `${type} ${step}`)).toEqual([
      ...['step 1', 'step 2', 'validated 2', 'step 3', 'step 4', 'validated 4'],
    ]);
    for (const event of events) if (event.type === 'validated') expect(event.metrics.points).toBe(3);
  });

  it('ends at a loss that is no number: names the step, gives its batches, and leaves the weights', async () => {
    const weights = start();
    const broken = [{ x: NaN, y: 1 }];
    const events: OptimizeEvent<readonly Point[], Metrics>[] = [];
    const options = {
      ...{ device, steps: 3, learningRate: () => 0.1, maxGradNorm: 1 },
      batches: (step: number) => [step === 1 ? broken : POINTS],
    };
    const training = async () => {
      for await (const event of optimize(weights, leastSquares(), options)) events.push(event);
    };
    await expect(training()).rejects.toThrow('the loss is NaN at optimizer step 2');
    expect(events.map(({ type, step }) => `${type} ${step}`)).toEqual(['step 1', 'diverged 2']);
    expect((events[1] as Extract<(typeof events)[number], { type: 'diverged' }>).batches).toEqual([broken]);
    expect(weights.get('slope')!.data).toEqual(Float32Array.of(0));
  });

  it('stops after the step under way, which may have been the last one', async () => {
    const stoppedAt = async (last: number) => {
      const abort = new AbortController();
      const weights = start();
      const options = { batches: () => [POINTS], learningRate: () => 0.1, maxGradNorm: 1e9 };
      const training = optimize(weights, leastSquares(), {
        device,
        steps: 2,
        signal: abort.signal,
        ...options,
      });
      const running = async () => {
        for await (const { step } of training) if (step === last) abort.abort(new Error('stop'));
      };
      await running().catch((error: Error) => expect(error.message).toBe('stop'));
      return Number(weights.get('slope')!.data[0]);
    };
    expect(await stoppedAt(1)).toBe(0);
    expect(await stoppedAt(2)).toBeGreaterThan(0);
  });

  it('resumed after its last step has nothing left to do but to give the weights', async () => {
    let last: TrainingSnapshot | undefined;
    const whole = await fit({
      steps: 3,
      async afterStep(_, snapshot) {
        last = await copyOf(snapshot);
      },
    });
    const resumed = await fit({ steps: 3, resumeFrom: last });
    expect(resumed).toEqual({ ...whole, events: [] });
    const wide = new Map([...start()].map(([name, tensor]) => [name, { ...tensor, shape: [1, 1] }]));
    await expect(fit({ steps: 3, resumeFrom: last }, wide)).rejects.toThrow(
      "the snapshot's parameter/slope has shape [1], not [1, 1]",
    );
  });

  it.each([
    { best: [1, 3], steps: 6, last: 5, restored: 3 },
    { best: [1], steps: 4, last: 4, restored: 1 },
    { best: [1, 4], steps: 4, last: 4, restored: undefined },
  ])(
    'of $steps steps that validations end after $last, and call best after $best, ends with the weights of the best, also resumed from any of them',
    async ({ best, steps, last, restored }) => {
      const snapshots: TrainingSnapshot[] = [];
      const run = async (resumeFrom?: TrainingSnapshot) => {
        let step = resumeFrom?.steps ?? 0;
        const judge = () => ({ isBest: best.includes(step), isLast: step === last });
        const { events, ...fitted } = await fit({
          ...{ steps, resumeFrom, validation: { batches: [POINTS], everySteps: 1, judge } },
          async afterStep(now, snapshot) {
            step = now;
            if (!resumeFrom) snapshots.push(await copyOf(snapshot));
          },
        });
        return { ...fitted, events: events.map((event) => `${event.type} ${event.step}`) };
      };
      const whole = await run();
      const end = restored === undefined ? [] : [`restored ${restored}`];
      expect(whole.events.slice(-1 - end.length)).toEqual([`validated ${last}`, ...end]);
      const { tensors } = snapshots[(restored ?? last) - 1];
      for (const name of ['slope', 'offset'] as const)
        expect([whole[name]]).toEqual([...(await tensors.get(`parameter/${name}`)!.read())]);
      for (const snapshot of snapshots) {
        const { events, ...fitted } = await run(snapshot);
        expect(fitted).toEqual({ slope: whole.slope, offset: whole.offset });
        expect(events).toEqual(whole.events.slice(-events.length));
      }
    },
  );

  it('is the one that preference pairs are trained on: the same optimizer, asked as often', async () => {
    const policy = randomPolicy(8, { initStd: 0.2 });
    const opened = vi.spyOn(device, 'openOptimizer');
    await fit({ steps: 1 });
    const weights = copyWeights(policy.weights);
    const training = trainDpo({ ...policy, weights }, randomPairs(policy.config, 2), OPTIONS);
    for await (const event of training) expect(event.type).toBe('step');
    expect(opened).toHaveBeenCalledTimes(2);
    opened.mockRestore();
  });
});
