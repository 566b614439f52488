import type { Tensor } from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, expect, it, vi } from 'vitest';
import { elementCount } from '../../lib/engine/graph.js';
import { compile, tf, type HostArray, type InputSpec, type TensorProgram } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';
import { elementwiseCases } from './cases/elementwise.js';
import { fusedCases } from './cases/fused.js';
import type { Drawn, HostInput, KernelCase } from './cases/kernel-case.js';
import { matMulCases } from './cases/matmul.js';
import { reduceCases } from './cases/reduce.js';
import { sequenceCases } from './cases/sequence.js';
import { shapeCases } from './cases/shape.js';
import { device } from '../support/device.js';

const cases: Record<string, KernelCase> = {
  ...elementwiseCases,
  ...fusedCases,
  ...matMulCases,
  ...reduceCases,
  ...sequenceCases,
  ...shapeCases,
};

const RUNS = 6;
/** Of the value, or of 1 where it is smaller: a few roundings of float32. */
const TOLERANCE = 1e-5;

beforeAll(() => tf.setBackend('cpu'));

it('has a case for every kernel of the table', () => {
  const mapped = tf.getKernelsForBackend('onnx-trace').map(({ kernelName }) => kernelName);
  expect(Object.keys(cases).sort()).toEqual(mapped.sort());
});

it.each(Object.entries(cases))(
  '%s computes what the JavaScript backend computes, gradient included',
  async (kernel, drawn) => {
    let reached = 0;
    await fc.assert(
      fc.asyncProperty(drawn, async (draw) => {
        const runKernel = vi.spyOn(tf.engine(), 'runKernel');
        const compiled = await compileDrawn(draw, 'onnx');
        reached += runKernel.mock.calls.filter(([name]) => name === kernel).length;
        runKernel.mockRestore();
        const eager = await compileDrawn(draw, 'eager');
        const feeds = Object.fromEntries(Object.entries(draw.inputs).map(([name, { data }]) => [name, data]));
        const actual = await compiled(feeds);
        const expected = await eager(feeds);
        await compiled.dispose();
        expect(Object.keys(actual)).toEqual(Object.keys(expected));
        for (const name of Object.keys(expected)) expectClose(actual[name], expected[name], name);
      }),
      { numRuns: RUNS },
    );
    expect(reached, `runs of ${kernel}`).toBeGreaterThan(0);
  },
);

function compileDrawn(drawn: Drawn, engine: 'onnx' | 'eager') {
  return compile(withGradients(drawn), inputSpecs(drawn.inputs), {
    device: engine === 'onnx' ? device : engine,
  });
}

function inputSpecs(inputs: Record<string, HostInput>): Record<string, InputSpec> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [
      name,
      { shape, dtype: data instanceof Float32Array ? 'float32' : 'int32' },
    ]),
  );
}

/** The outputs, and the gradients of their sum with pseudo-random weights. */
function withGradients({ program, differentiable }: Drawn): TensorProgram {
  const outputsOf = (inputs: Record<string, Tensor>) => [program(inputs)].flat();
  return (inputs) => {
    const outputs = outputsOf(inputs).map((output, i) => [`output ${i}`, output]);
    if (differentiable.length === 0) return Object.fromEntries(outputs);
    const weightedSum = (...tensors: Tensor[]) => {
      const named = Object.fromEntries(differentiable.map((name, i) => [name, tensors[i]]));
      const terms = outputsOf({ ...inputs, ...named }).map((output, i) =>
        tf.sum(tf.mul(output, tf.tensor(pseudoRandom(output.shape, i), output.shape))),
      );
      return tf.addN(terms) as ReturnType<typeof tf.scalar>;
    };
    const { grads } = tf.valueAndGrads(weightedSum)(differentiable.map((name) => inputs[name]));
    const gradients = differentiable.map((name, i) => [`gradient of ${name}`, grads[i]]);
    return Object.fromEntries([...outputs, ...gradients]);
  };
}

function pseudoRandom(shape: number[], key: number): Float32Array {
  const uniform = uniformStream(key);
  return Float32Array.from({ length: elementCount(shape) }, () => 2 * uniform() - 1);
}

function expectClose(actual: HostArray, expected: HostArray, name: string): void {
  expect(actual.length, name).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    const error = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    expect(error, `${name}[${i}]: ${actual[i]} instead of ${expected[i]}`).toBeLessThanOrEqual(TOLERANCE);
  }
}
