import { expect, it } from 'vitest';
import { checkTrainable, NUMBERS_PER_PARAMETER, openTrainingState } from '../../lib/train/training-state.js';
import { numbersInMemory } from '../../lib/engine/devices/amounts.js';
import { writeOnnx } from '../../lib/engine/onnx.js';
import { CpuDevice } from '../../lib/engine/index.js';
import { checkUploadable } from '../../lib/policy/resident-weights.js';
import { device } from '../support/device.js';

/** A tensor of which only the shape is looked at. */
const shaped = (shape: number[]) => ({ shape, dtype: 'float32' as const, data: new Float32Array(0) });

const ofSize = (shape: number[]) => new Map([['embedding', shaped(shape)]]);

it('memory of 4 GiB is refused in a sentence', async () => {
  await expect(device.allocate([['a', [2 ** 30]]], 'what I want')).rejects.toThrow(
    'what I want takes 4.00 GiB, but a memory of WebAssembly ends at 4 GiB',
  );
});

it('a model too large to be trained is told before it is trained, with how large it may be', async () => {
  const most = numbersInMemory() / NUMBERS_PER_PARAMETER;
  const millions = (count: number) => Math.floor(count / 1e6);
  /** Of layers of 100 million parameters, which lie in several memories. */
  const ofLayers = (count: number) =>
    new Map(Array.from({ length: count }, (_, layer) => [`layer${layer}`, shaped([100_000, 1000])]));
  const layers = Math.ceil(most / 100e6) + 1;
  const sentence = `training a model of ${layers * 100} million parameters (at most ${millions(most)} million can be trained) takes `;
  expect(() => checkTrainable(ofLayers(layers), device)).toThrow(sentence);
  await expect(openTrainingState(ofLayers(layers), device)).rejects.toThrow(sentence);
  expect(() => checkTrainable(ofLayers(layers - 2), device)).not.toThrow();
  expect(() => checkTrainable(ofSize([215_000, 1000]), device)).toThrow(
    'training a parameter of [215000, 1000] takes 4.00 GiB, but a memory of WebAssembly ends at 4 GiB',
  );
  const copies = new (class extends CpuDevice {
    override lend = undefined as never;
  })();
  expect(() => checkUploadable(ofSize([1_073_000, 1000]), copies)).not.toThrow();
  expect(() => checkUploadable(ofSize([1_074_000, 1000]), copies)).toThrow('at most 1,073 million');
  expect(() => checkUploadable(ofSize([1_074_000, 1000]), device)).not.toThrow();
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
