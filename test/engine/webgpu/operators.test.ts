/** The rewritten graph on the CPU: the same numbers, and no operator that the WebGPU provider lacks. */
import { afterAll, expect, it } from 'vitest';
import { withoutMissingOperators } from '../../../lib/engine/devices/webgpu/operators.js';
import {
  compile,
  logSoftmax,
  tf,
  timeMajorMatMul,
  traceGraph,
  type InputSpec,
  type TensorProgram,
} from '../../../lib/engine/index.js';
import { uniformStream } from '../../../lib/random.js';
import { device } from '../../support/device.js';
import { runGraph } from '../run-graph.js';

afterAll(() => device.close());

const uniform = uniformStream(5);
const MISSING = ['FusedMatMul', 'LogSoftmax'];

const cases: [string, TensorProgram, Record<string, number[]>, string][] = [
  ['a product', ({ a, b }) => ({ y: tf.matMul(a, b) }), { a: [2, 3, 4], b: [2, 4, 5] }, ''],
  [
    'a product with the first transposed',
    ({ a, b }) => ({ y: tf.matMul(a, b, true) }),
    { a: [2, 4, 3], b: [2, 4, 5] },
    'FusedMatMul',
  ],
  [
    'a product with both transposed, of rank 4',
    ({ a, b }) => ({ y: tf.matMul(a, b, true, true) }),
    { a: [2, 3, 4, 6], b: [2, 3, 5, 4] },
    'FusedMatMul',
  ],
  [
    'scores of a time-major cache',
    ({ a, b }) => ({ y: timeMajorMatMul(a, b, true) }),
    { a: [3, 1, 4], b: [6, 3, 4] },
    'FusedMatMul',
  ],
  [
    'a mixture of a time-major cache',
    ({ a, b }) => ({ y: timeMajorMatMul(a, b, false) }),
    { a: [3, 1, 6], b: [6, 3, 4] },
    'FusedMatMul',
  ],
  [
    'a log softmax of large numbers, and what follows from it',
    ({ a }) => ({ y: tf.neg(logSoftmax(tf.mul(a, 200))), z: logSoftmax(a) }),
    { a: [4, 9] },
    'LogSoftmax',
  ],
];

it.each(cases)('%s keeps its numbers', async (_, program, shapes, missing) => {
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]): [string, InputSpec] => [name, { shape, dtype: 'float32' }]),
  );
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 4 * uniform() - 2),
    ]),
  );
  const graph = traceGraph(program, inputs);
  if (missing) expect(graph.nodes.map(({ op }) => op)).toContain(missing);
  const rewritten = withoutMissingOperators(graph);
  for (const { op } of rewritten.nodes) expect(MISSING).not.toContain(op);
  const plain = await compile(program, inputs, { device });
  const [expected, actual] = [await plain(feeds), await runGraph(rewritten, feeds)];
  await plain.dispose();
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, values] of Object.entries(expected))
    values.forEach((value, i) =>
      expect(Math.abs(actual[name][i] - value)).toBeLessThan(1e-5 * (1 + Math.abs(value))),
    );
});
