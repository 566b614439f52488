/** Every operation that programs are made of, and its gradient, on the native TensorFlow. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { tf, type Device } from '../../../lib/engine/index.js';
import { openTensorFlow, whyNoTensorFlow } from '../../support/tensorflow.js';
import { compileDrawn, expectSame, feedsOf, kernelCases } from '../cases/check.js';

const RUNS = 6;
/** What @tensorflow/tfjs-node 4.22 refuses of its own: tf.gather along an axis counted from the end, tf.step of whole numbers. */
const REFUSED = /the index value \d+ is not in \[0, NaN\]|node IsNan/;

describe.skipIf(whyNoTensorFlow)('on the native TensorFlow', () => {
  let device: Device;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    device = await openTensorFlow();
  });
  afterAll(() => device.close());

  it.each(Object.entries(kernelCases))(
    '%s computes what the JavaScript backend computes, gradient included',
    (_, drawn) =>
      fc.assert(
        fc.asyncProperty(drawn, async (draw) => {
          const compiled = await compileDrawn(draw, device);
          const eager = await compileDrawn(draw, 'eager');
          const actual = await compiled(feedsOf(draw)).catch((error: Error) => error);
          await compiled.dispose();
          if (actual instanceof Error) {
            fc.pre(!REFUSED.test(actual.message));
            throw actual;
          }
          expectSame(actual, await eager(feedsOf(draw)));
        }),
        { numRuns: RUNS },
      ),
  );
});
