/** GPU buffers by handle, and what fills, reads, cuts and changes them. ONNX Runtime makes a buffer only as the output of a run. */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { AdamWUpdate, DeviceTensor, HostArray } from '../../device.js';
import { elementCount } from '../../graph.js';
import type { ParameterHandles } from './calls.js';
import {
  UPDATE_INPUTS,
  adamwModel,
  addModel,
  copyModel,
  partModel,
  placeModel,
  zerosModel,
} from './small-programs.js';

export const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof OnnxRuntime;
type Tensor = OnnxRuntime.Tensor;

/** @param resident whether outputs stay on the GPU where a run says nothing else */
export function openSession(model: Uint8Array, resident: boolean): Promise<OnnxRuntime.InferenceSession> {
  return ort.InferenceSession.create(model, {
    executionProviders: ['webgpu'],
    preferredOutputLocation: resident ? 'gpu-buffer' : 'cpu',
    logSeverityLevel: 3,
  });
}

const MODELS = {
  zeros: { model: zerosModel, resident: true },
  upload: { model: copyModel, resident: true },
  download: { model: copyModel, resident: false },
  part: { model: partModel, resident: true },
  add: { model: addModel, resident: true },
  adamw: { model: adamwModel, resident: true },
};
const opened = new Map<string, OnnxRuntime.InferenceSession>();

async function keptSession(name: string, model: () => Uint8Array, resident: boolean) {
  const session = opened.get(name) ?? (await openSession(model(), resident));
  opened.set(name, session);
  return session;
}

async function runSmall(
  name: keyof typeof MODELS,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const { model, resident } = MODELS[name];
  return (await keptSession(name, model, resident)).run(feeds);
}

/** Flat float32 tensors on the GPU, as ONNX Runtime made them: these own their buffers. */
const buffers = new Map<number, Tensor>();
let nextHandle = 1;

function bufferOf(handle: number): Tensor {
  const buffer = buffers.get(handle);
  if (!buffer) throw new Error(`there is no GPU buffer ${handle}: it was released`);
  return buffer;
}

function replace(handle: number, buffer: Tensor): void {
  bufferOf(handle).dispose();
  buffers.set(handle, buffer);
}

/** The first elements of a buffer as a tensor of this shape; nothing is copied, and the buffer stays its owner's. */
export function viewOf(
  buffer: Tensor,
  shape: readonly number[],
  dtype: DeviceTensor['dtype'] = 'float32',
): Tensor {
  return ort.Tensor.fromGpuBuffer(buffer.gpuBuffer, { dataType: dtype, dims: [...shape] });
}

export function hostTensor(data: HostArray, shape: readonly number[]): Tensor {
  return data instanceof Float32Array
    ? new ort.Tensor('float32', data, shape)
    : new ort.Tensor('int32', data, shape);
}

const number64 = (value: number): Tensor => new ort.Tensor('int64', BigInt64Array.of(BigInt(value)), [1]);
const scalar32 = (value: number): Tensor => new ort.Tensor('int32', Int32Array.of(value), []);

/** Buffers that runs wrote into before they were written over parts of others, by size: the next token's are of the same sizes. */
const spare = new Map<number, Tensor[]>();

export async function takeSpare(size: number): Promise<Tensor> {
  return spare.get(size)?.pop() ?? zeros(size);
}

export function returnSpare(buffer: Tensor): void {
  const { size } = buffer;
  spare.set(size, [...(spare.get(size) ?? []), buffer]);
}

function disposeSpares(): void {
  for (const buffer of [...spare.values()].flat()) buffer.dispose();
  spare.clear();
}

/** A buffer of so many zeros, which the caller owns. */
export async function zeros(size: number): Promise<Tensor> {
  return (await runSmall('zeros', { size: number64(size) })).y;
}

export async function createBuffer(size: number): Promise<number> {
  buffers.set(nextHandle, await zeros(size));
  return nextHandle++;
}

export function releaseBuffers(handles: readonly number[]): void {
  for (const handle of handles) {
    buffers.get(handle)?.dispose();
    buffers.delete(handle);
  }
  disposeSpares();
}

export const isWhole = ({ handle, start, shape }: DeviceTensor): boolean =>
  start === 0 && elementCount(shape) === bufferOf(handle).size;

/** A tensor as a program reads it. One that begins within its buffer is copied, since ONNX Runtime feeds buffers from their start. */
export async function feedOf(tensor: DeviceTensor): Promise<{ fed: Tensor; copy?: Tensor }> {
  const { handle, start, shape, dtype } = tensor;
  const buffer = bufferOf(handle);
  if (start + elementCount(shape) > buffer.size)
    throw new RangeError(`[${shape.join(', ')}] from element ${start} is out of bounds of ${buffer.size}`);
  if (start === 0) return { fed: viewOf(buffer, shape, dtype) };
  const ends = { start: number64(start), end: number64(start + elementCount(shape)) };
  const { y: copy } = await runSmall('part', { x: buffer, ...ends });
  return { fed: viewOf(copy, shape, dtype), copy };
}

/** A whole tensor as the place of an output. */
export const outputOf = ({ handle, shape, dtype }: DeviceTensor): Tensor =>
  viewOf(bufferOf(handle), shape, dtype);

/** Writes flat tensors, on the GPU or in ordinary memory, over parts of buffers. All of them are one run, with few or many. */
export async function writeParts(parts: readonly { target: DeviceTensor; part: Tensor }[]): Promise<void> {
  if (parts.length === 0) return;
  const feeds: Record<string, Tensor> = {};
  const places: Record<string, Tensor> = {};
  for (const [i, { target, part }] of parts.entries()) {
    const { handle, start } = target;
    const x = bufferOf(handle);
    const end = start + part.size;
    if (end > x.size)
      throw new RangeError(`${part.size} numbers from element ${start} are out of bounds of ${x.size}`);
    feeds[`x_${i}`] = x;
    feeds[`part_${i}`] = part;
    feeds[`start_${i}`] = scalar32(start);
    feeds[`end_${i}`] = scalar32(end);
    places[`y_${i}`] = viewOf(x, [x.size]);
  }
  const count = parts.length;
  const session = await keptSession(`place ${count}`, () => placeModel(count), false);
  await session.run(feeds, places);
}

/** Lets a tensor have this buffer instead of its own. */
export function giveBuffer({ handle }: DeviceTensor, buffer: Tensor): void {
  replace(handle, buffer);
}

export async function read(source: DeviceTensor): Promise<HostArray> {
  const { fed, copy } = await feedOf({ ...source, shape: [elementCount(source.shape)], dtype: 'float32' });
  const { y } = await runSmall('download', { x: fed });
  copy?.dispose();
  const data = y.data as Float32Array;
  return source.dtype === 'float32' ? data : new Int32Array(data.buffer, data.byteOffset, data.length);
}

export async function write(target: DeviceTensor, data: HostArray): Promise<void> {
  const values =
    data instanceof Float32Array ? data : new Float32Array(data.buffer, data.byteOffset, data.length);
  const x = new ort.Tensor('float32', values, [values.length]);
  if (isWhole(target) && values.length === elementCount(target.shape))
    replace(target.handle, (await runSmall('upload', { x })).y);
  else await writeParts([{ target, part: x }]);
}

export async function clear(target: DeviceTensor): Promise<void> {
  const part = await zeros(elementCount(target.shape));
  if (isWhole(target)) return replace(target.handle, part);
  await writeParts([{ target, part }]);
  part.dispose();
}

/** onto += from. */
export async function add(onto: number, from: number): Promise<void> {
  replace(onto, (await runSmall('add', { x: bufferOf(onto), y: bufferOf(from) })).sum);
}

/** AdamW's step on each parameter: its results become the tensors of the next. */
export async function adamw(parameters: readonly ParameterHandles[], update: AdamWUpdate): Promise<void> {
  const numbers: Record<string, Tensor> = {};
  for (const name of UPDATE_INPUTS)
    numbers[name] = (await runSmall('upload', { x: hostTensor(Float32Array.of(update[name]), [1]) })).y;
  for (const { parameter, gradient, mean, square } of parameters) {
    const { newParameter, newMean, newSquare } = await runSmall('adamw', {
      parameter: bufferOf(parameter),
      gradient: bufferOf(gradient),
      mean: bufferOf(mean),
      square: bufferOf(square),
      ...numbers,
    });
    replace(parameter, newParameter);
    replace(mean, newMean);
    replace(square, newSquare);
  }
  for (const number of Object.values(numbers)) number.dispose();
}
