import type { Tensor } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { elementCount } from '../../../lib/engine/graph.js';
import {
  addAtLabels,
  atLabels,
  gelu,
  layerNorm,
  logSoftmax,
  splitRows,
  tf,
  timeMajorMatMul,
} from '../../../lib/engine/index.js';
import { floats, integers, type KernelCase, onX, shapes, sizes } from './kernel-case.js';

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

const splitRowsCase: KernelCase = fc
  .record({ groups: sizes, rows: sizes, inner: shapes(1, 2) })
  .chain(({ groups, rows, inner }) =>
    fc
      .record({ x: floats([groups * rows, elementCount(inner)]), like: floats([groups, 2]) })
      .map((inputs) => ({
        inputs,
        program: ({ x, like }) => [tf.sum(splitRows(x, like, inner), 1), tf.neg(like)],
        differentiable: [],
      })),
  );

/** A matrix, a label and a number for each row. */
const labelsCase = (program: (x: Tensor, labels: Tensor, values: Tensor) => Tensor): KernelCase =>
  fc.record({ rows: sizes, width: sizes }).chain(({ rows, width }) =>
    fc
      .record({
        x: floats([rows, width]),
        labels: integers([rows], 0, width - 1),
        values: floats([rows]),
      })
      .map((inputs) => ({
        inputs,
        program: ({ x, labels, values }) => program(x, labels, values),
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
  SpeechSplitRows: splitRowsCase,
  SpeechLogSoftmax: labelsCase(logSoftmax),
  SpeechAtLabels: labelsCase(atLabels),
  SpeechAddAtLabels: labelsCase(addAtLabels),
};
