import fc from 'fast-check';
import { gelu, layerNorm, timeMajorMatMul } from '../../../lib/engine/index.js';
import { floats, type KernelCase, onX, shapes, sizes } from './kernel-case.js';

const layerNormCase: KernelCase = fc
  .tuple(shapes(1, 3), fc.integer({ min: 3, max: 8 }))
  .chain(([rows, width]) =>
    fc
      .record({ x: floats([...rows, width]), gamma: floats([width]), beta: floats([width]) })
      .map((inputs) => ({
        inputs,
        program: ({ x, gamma, beta }) => layerNorm(x, gamma, beta, 1e-2),
        differentiable: ['x', 'gamma', 'beta'],
      })),
  );

const timeMajorCase: KernelCase = fc
  .record({ rows: sizes, queries: sizes, time: sizes, width: sizes, transposeB: fc.boolean() })
  .chain(({ rows, queries, time, width, transposeB }) =>
    fc
      .record({ a: floats([rows, queries, transposeB ? width : time]), b: floats([time, rows, width]) })
      .map((inputs) => ({
        inputs,
        program: ({ a, b }) => timeMajorMatMul(a, b, transposeB),
        differentiable: [],
      })),
  );

export const fusedCases: Record<string, KernelCase> = {
  SpeechLayerNorm: layerNormCase,
  SpeechGelu: onX(
    shapes().chain((shape) => floats(shape, -5, 5)),
    () => fc.constant(gelu),
  ),
  SpeechTimeMajorMatMul: timeMajorCase,
};
