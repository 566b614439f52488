/** A kernel's case as a compiled program, and how near two devices' outputs have to be. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { elementCount } from '../../../lib/engine/graph.js';
import {
  compile,
  tf,
  type Compiled,
  type Device,
  type HostArray,
  type InputSpec,
  type TensorProgram,
} from '../../../lib/engine/index.js';
import { uniformStream } from '../../../lib/random.js';
import { elementwiseCases } from './elementwise.js';
import { fusedCases } from './fused.js';
import type { Drawn, HostInput, KernelCase } from './kernel-case.js';
import { matMulCases } from './matmul.js';
import { reduceCases } from './reduce.js';
import { sequenceCases } from './sequence.js';
import { shapeCases } from './shape.js';

export const kernelCases: Record<string, KernelCase> = {
  ...elementwiseCases,
  ...fusedCases,
  ...matMulCases,
  ...reduceCases,
  ...sequenceCases,
  ...shapeCases,
};

/** Of the value, or of 1 where it is smaller: a few roundings of float32. */
const TOLERANCE = 1e-5;

/** The program of a draw with its gradients, on a device or eagerly. */
export function compileDrawn(drawn: Drawn, device: Device | 'eager'): Promise<Compiled> {
  return compile(withGradients(drawn), inputSpecs(drawn.inputs), { device });
}

export function feedsOf({ inputs }: Drawn): Record<string, HostArray> {
  return Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data]));
}

/** The same outputs, each within a few roundings. */
export function expectSame(actual: Record<string, HostArray>, expected: Record<string, HostArray>): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const name of Object.keys(expected)) expectClose(actual[name], expected[name], name);
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
