import { describe, expect, it, vi } from 'vitest';
import type { HostTensor } from '../../lib/engine/host-tensor.js';
import { ADAMW_DEFAULTS, type AdamWOptions } from '../../lib/train/adamw.js';
import { openTrainingState, type TrainingState } from '../../lib/train/training-state.js';
import { uniformStream } from '../../lib/random.js';
import { device } from '../support/device.js';

const uniform = uniformStream(11);
const SHAPES = new Map([
  ['a', [7]],
  ['b', [3, 5]],
  ['c', [33]],
]);

function randomWeights(): Map<string, HostTensor> {
  // Away from 0, so that relative errors mean something.
  const draw = () => (uniform() < 0.5 ? -1 : 1) * (0.2 + uniform());
  return new Map(
    [...SHAPES].map(([name, shape]) => [name, { shape, dtype: 'float32', data: randomArray(shape, draw) }]),
  );
}

function randomArray(shape: number[], draw: () => number): Float32Array {
  return Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, draw);
}

/** Gradients of several orders of magnitude, some exactly 0. */
const randomGradients = () =>
  new Map(
    [...SHAPES].map(([name, shape]) => {
      const draw = () => (uniform() < 0.1 ? 0 : (uniform() - 0.5) * 10 ** (-6 * uniform()));
      return [name, randomArray(shape, draw)] as const;
    }),
  );

async function parametersOf(state: TrainingState): Promise<Map<string, Float32Array>> {
  const parameters = new Map<string, Float32Array>();
  await state.download((name, data) => parameters.set(name, data));
  return parameters;
}

type Gradients = ReturnType<typeof randomGradients>;

/** torch.optim.AdamW and torch.nn.utils.clip_grad_norm_ in float64; vectors do not decay. */
class Reference {
  readonly parameters: Map<string, Float64Array>;
  readonly #mean = new Map<string, Float64Array>();
  readonly #square = new Map<string, Float64Array>();
  #steps = 0;

  constructor(
    weights: ReadonlyMap<string, HostTensor>,
    readonly options: AdamWOptions,
  ) {
    this.parameters = new Map(
      [...weights].map(([name, { data }]) => [name, Float64Array.from(data as Float32Array)]),
    );
    for (const [name, { length }] of this.parameters) {
      this.#mean.set(name, new Float64Array(length));
      this.#square.set(name, new Float64Array(length));
    }
  }

  step(gradients: Gradients, learningRate: number, maxGradNorm: number): number {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    const norm = Math.sqrt([...gradients.values()].flatMap((g) => [...g]).reduce((sum, g) => sum + g * g, 0));
    const clip = Math.min(1, maxGradNorm / (norm + 1e-6));
    this.#steps += 1;
    for (const [name, p] of this.parameters) {
      const m = this.#mean.get(name)!;
      const v = this.#square.get(name)!;
      for (let i = 0; i < p.length; i++) {
        const g = gradients.get(name)![i] * clip;
        if (SHAPES.get(name)!.length > 1) p[i] *= 1 - learningRate * weightDecay;
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const meanHat = m[i] / (1 - beta1 ** this.#steps);
        const squareHat = v[i] / (1 - beta2 ** this.#steps);
        p[i] -= (learningRate * meanHat) / (Math.sqrt(squareHat) + epsilon);
      }
    }
    return norm;
  }
}

async function openWith(weights: Map<string, HostTensor>, options?: AdamWOptions) {
  const state = await openTrainingState(weights, device, options);
  const write = async (gradients: Gradients) => {
    for (const [name, data] of gradients) await device.write(state.gradients[name], data);
  };
  return { state, write };
}

function expectParameters(
  actual: Map<string, Float32Array>,
  expected: ReadonlyMap<string, Float64Array>,
): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected)
    values.forEach((value, i) => {
      expect(Math.abs(actual.get(name)![i] / value - 1), `${name}[${i}]`).toBeLessThan(1e-6);
    });
}

describe('the optimizer', () => {
  it.each<[string, Partial<AdamWOptions>, number]>([
    ['without weight decay, not clipped', {}, 1e6],
    ['with weight decay, not clipped', { weightDecay: 0.1 }, 1e6],
    ['clipped at every step', {}, 0.05],
    [
      'with weight decay and other betas and epsilon, clipped',
      { weightDecay: 0.01, beta1: 0.8, beta2: 0.95, epsilon: 1e-4 },
      0.3,
    ],
  ])("is torch's AdamW in float64 to float32's precision: %s", async (_, changes, maxGradNorm) => {
    const options = { ...ADAMW_DEFAULTS, ...changes };
    const weights = randomWeights();
    const reference = new Reference(weights, options);
    const { state, write } = await openWith(weights, options);
    for (let step = 0; step < 6; step++) {
      const gradients = randomGradients();
      const learningRate = 0.02 / (step + 1);
      await write(gradients);
      const norm = await state.step(learningRate, maxGradNorm);
      expect(norm / reference.step(gradients, learningRate, maxGradNorm)).toBeCloseTo(1, 10);
    }
    expectParameters(await parametersOf(state), reference.parameters);
    await state.release();
  });

  it.each([0, 0.1])(
    'takes the sum of accumulated gradients, and starts anew after a step: weight decay %f',
    async (weightDecay) => {
      const options = { ...ADAMW_DEFAULTS, weightDecay };
      const weights = randomWeights();
      const reference = new Reference(weights, options);
      const { state, write } = await openWith(weights, options);
      for (let step = 0; step < 3; step++) {
        const micro = [randomGradients(), randomGradients(), randomGradients()];
        for (const gradients of micro) {
          await write(gradients);
          await state.accumulate();
        }
        const sum = new Map(
          [...SHAPES.keys()].map((name) => [
            name,
            micro[0].get(name)!.map((g, i) => g + micro[1].get(name)![i] + micro[2].get(name)![i]),
          ]),
        );
        const norm = await state.step(1e-3, 0.2);
        expect(norm / reference.step(sum, 1e-3, 0.2)).toBeCloseTo(1, 6);
      }
      expectParameters(await parametersOf(state), reference.parameters);
      await state.release();
    },
  );

  it.each([
    [NaN, 0],
    [Infinity, 0],
    [NaN, 0.1],
  ])(
    'refuses a gradient of %s and leaves the parameters as they are: weight decay %f',
    async (value, weightDecay) => {
      const weights = randomWeights();
      const { state, write } = await openWith(weights, { ...ADAMW_DEFAULTS, weightDecay });
      await write(randomGradients());
      await state.step(1e-3, 1);
      const before = await parametersOf(state);
      const gradients = randomGradients();
      gradients.get('c')![20] = value;
      await write(gradients);
      expect(await state.step(1e-3, 1)).toBe(Math.abs(value));
      expect(await parametersOf(state)).toEqual(before);
      await state.release();
    },
  );

  it('is given back where the weights are no longer there', async () => {
    const openOptimizer = device.openOptimizer.bind(device);
    const releases: { (): unknown }[] = [];
    vi.spyOn(device, 'openOptimizer').mockImplementationOnce(async (...args) => {
      const optimizer = await openOptimizer(...args);
      releases.push(vi.spyOn(optimizer, 'release'));
      return optimizer;
    });
    const [[name, weight]] = randomWeights();
    const freed = new Map([[name, { ...weight, data: new Float32Array() } as HostTensor]]);
    await expect(openTrainingState(freed, device)).rejects.toThrow(`the weight ${name} is empty`);
    expect(releases[0]).toHaveBeenCalledOnce();
  });
});
