import { expect, it } from 'vitest';
import { checkTrainable, openTrainingState } from '../../lib/train/training-state.js';
import { writeOnnx } from '../../lib/engine/onnx.js';
import { checkUploadable } from '../../lib/policy/resident-weights.js';
import { device } from '../support/device.js';

/** A tensor of which only the shape is looked at. */
const ofSize = (shape: number[]) =>
  new Map([['embedding', { shape, dtype: 'float32' as const, data: new Float32Array(0) }]]);

it('memory of 4 GiB is refused in a sentence', async () => {
  await expect(device.allocate([['a', [2 ** 30]]], 'what I want')).rejects.toThrow(
    'what I want takes 4.00 GiB, but a memory of WebAssembly ends at 4 GiB',
  );
});

it('a model too large to be trained is told before it is trained, with how large it may be', async () => {
  const sentence =
    'training a model of 406 million parameters (at most 214 million can be trained) takes 7.57 GiB, but a memory of WebAssembly ends at 4 GiB';
  expect(() => checkTrainable(ofSize([406_291, 1000]), device)).toThrow(sentence);
  await expect(openTrainingState(ofSize([406_291, 1000]), device)).rejects.toThrow(sentence);
  expect(() => checkTrainable(ofSize([214_000, 1000]), device)).not.toThrow();
  expect(() => checkTrainable(ofSize([215_000, 1000]), device)).toThrow('215 million');
  expect(() => checkUploadable(ofSize([1_073_000, 1000]), device)).not.toThrow();
  expect(() => checkUploadable(ofSize([1_074_000, 1000]), device)).toThrow('at most 1,073 million');
});

it('a program with 2 GiB of constants is refused in a sentence', () => {
  const shape = [2 ** 29];
  const weights = { name: 'w', shape, dtype: 'float32' as const, data: new Float32Array(2 ** 29) };
  const graph = {
    inputs: [],
    outputs: [],
    nodes: [],
    constants: new Map([['w', weights]]),
    values: new Map(),
  };
  expect(() => writeOnnx(graph)).toThrow(
    'a program with its weights takes 2.00 GiB, but ONNX Runtime reads models of up to 2 GiB: the model is too large',
  );
});
