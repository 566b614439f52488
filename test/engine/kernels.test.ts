import fc from 'fast-check';
import { beforeAll, expect, it, vi } from 'vitest';
import { compile, tf } from '../../lib/engine/index.js';
import { compileDrawn, expectSame, feedsOf, kernelCases } from './cases/check.js';
import { device } from '../support/device.js';

const RUNS = 6;

beforeAll(() => tf.setBackend('cpu'));

it('has a case for every kernel of the table', () => {
  const mapped = tf.getKernelsForBackend('onnx-trace').map(({ kernelName }) => kernelName);
  expect(Object.keys(kernelCases).sort()).toEqual(mapped.sort());
});

it.each(Object.entries(kernelCases))(
  '%s computes what the JavaScript backend computes, gradient included',
  async (kernel, drawn) => {
    let reached = 0;
    await fc.assert(
      fc.asyncProperty(drawn, async (draw) => {
        const runKernel = vi.spyOn(tf.engine(), 'runKernel');
        const compiled = await compileDrawn(draw, device);
        reached += runKernel.mock.calls.filter(([name]) => name === kernel).length;
        runKernel.mockRestore();
        const eager = await compileDrawn(draw, 'eager');
        const feeds = feedsOf(draw);
        const actual = await compiled(feeds);
        const expected = await eager(feeds);
        await compiled.dispose();
        expectSame(actual, expected);
      }),
      { numRuns: RUNS },
    );
    expect(reached, `runs of ${kernel}`).toBeGreaterThan(0);
  },
);

it('gives sigmoids of very unlikely things, and so the gradient of softplus, with the precision of a float32', async () => {
  const x = Float32Array.of(-87, -40, -18, -14, -8, -1, 0, 3, 90);
  const program = await compile(
    ({ x }) => ({
      y: tf.sigmoid(x),
      slope: tf.grad((of) => tf.softplus(of))(x),
      none: tf.sigmoid(tf.log(x)),
    }),
    { x: { shape: [x.length], dtype: 'float32' } },
    { device },
  );
  const { y, slope, none } = await program({ x });
  await program.dispose();
  x.forEach((value, i) => {
    const exact = 1 / (1 + Math.exp(-value));
    for (const actual of [y[i], slope[i]])
      expect(Math.abs(actual / exact - 1), `at ${value}`).toBeLessThan(4e-7);
  });
  expect(none[0]).toBeNaN();
});

it('gives elu for numbers of any size, and NaN for NaN', async () => {
  const x = Float32Array.of(-1e30, -200, -1, -1e-4, -1e-9, 0, 1e-9, 5, 1e30, NaN);
  const program = await compile(
    ({ x }) => ({ y: tf.elu(x) }),
    { x: { shape: [x.length], dtype: 'float32' } },
    { device },
  );
  const { y } = await program({ x });
  await program.dispose();
  const expected = [...x].map((value) => (value > 0 ? value : Math.expm1(value)));
  expected.forEach((value, i) =>
    Number.isNaN(value)
      ? expect(y[i]).toBeNaN()
      : expect(Math.abs(y[i] - Math.fround(value)), `at ${x[i]}`).toBeLessThan(1e-7),
  );
});
