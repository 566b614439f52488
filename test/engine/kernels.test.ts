import fc from 'fast-check';
import { beforeAll, expect, it, vi } from 'vitest';
import { tf } from '../../lib/engine/index.js';
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
