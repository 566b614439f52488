/** The CPU device's worker thread: owns ONNX Runtime sessions and resident memory, so that the event loop of the caller stays free. */
import type { DeviceTensor, Feed, HostArray } from '../../device.js';
import { freeArrays } from '../../free-arrays.js';
import { createTurns } from '../../../turns.js';
import { dtypeOf, elementCount } from '../../graph.js';
import type { Answers } from '../thread/protocol.js';
import { serve } from '../thread/serve.js';
import { copyFrom, type Address } from '../ort/native.js';
import type { CpuCalls, LentArray } from './calls.js';
import { Session, type Located } from './session.js';

const PAGE = 65_536;
/** Of a float32 or int32. */
const BYTES = 4;
/** Models whose copies are worth the 10 ms that the C library takes to be called. */
const LARGE_MODEL_BYTES = 32 * 2 ** 20;

const sessions = new Map<number, Session>();
const memories = new Map<number, WebAssembly.Memory>();
const lent = new Map<number, LentArray>();
/** An instance holds its memory: both go together. */
const instances = new Map<number, { memory: number; instance: WebAssembly.Instance }>();
let nextId = 1;
const inTurn = createTurns();

function bufferOf(handle: number): ArrayBuffer {
  const memory = memories.get(handle);
  if (!memory) throw new TypeError(`the device has no memory ${handle}: it was released, or is lent`);
  return memory.buffer;
}

function view({ handle, start, shape, dtype }: DeviceTensor): HostArray {
  const buffer = bufferOf(handle);
  const byteOffset = start * BYTES;
  const length = elementCount(shape);
  return dtype === 'float32'
    ? new Float32Array(buffer, byteOffset, length)
    : new Int32Array(buffer, byteOffset, length);
}

/** A tensor's values: those themselves, or a copy of those that are lent. */
function read(source: DeviceTensor): HostArray {
  const place = lentPlace(source);
  return place === undefined ? view(source) : copyFrom(place, new Float32Array(elementCount(source.shape)));
}

/** Where a tensor is that lies in an array that is lent. @throws RangeError when it reaches beyond the array */
function lentPlace({ handle, start, shape }: DeviceTensor): Address | undefined {
  const array = lent.get(handle);
  if (!array) return undefined;
  if ((start + elementCount(shape)) * BYTES > array.byteLength)
    throw new RangeError(`[${shape.join(', ')}] from number ${start} on reaches beyond what is lent`);
  return array.place + BigInt(start * BYTES);
}

function located(feed: Feed): Located {
  const { shape } = feed;
  if ('data' in feed) return ofArray(feed.data, shape);
  const place = lentPlace(feed);
  if (place === undefined) return ofArray(view(feed), shape);
  return { place, byteLength: elementCount(shape) * BYTES, shape, dtype: feed.dtype };
}

const ofArray = (place: HostArray, shape: readonly number[]): Located => {
  return { place, byteLength: place.byteLength, shape, dtype: dtypeOf(place) };
};

/** In place: each column moves towards the beginning, or stays. */
function keepColumns(tensor: DeviceTensor, kept: readonly number[]): void {
  const [rows, columns, ...column] = tensor.shape;
  const values = view(tensor);
  const size = elementCount(column);
  for (let row = 0; row < rows; row++)
    kept.forEach((from, to) => {
      const start = (row * columns + from) * size;
      values.copyWithin((row * kept.length + to) * size, start, start + size);
    });
}

const locatedAll = (feeds: Readonly<Record<string, Feed>>): Record<string, Located> =>
  Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, located(feed)]));

const answers: Answers<CpuCalls> = {
  // Of two large models the second is made once the bytes of the first are free.
  createSession: (model, constants, settings) =>
    inTurn(async () => {
      const create = () => new Session(model, constants, settings);
      const bytes = constants.reduce((total, { byteLength }) => total + byteLength, model.byteLength);
      const isLarge = process.platform === 'linux' && bytes >= LARGE_MODEL_BYTES;
      const session = isLarge ? (await import('./allocator.js')).withLargeBlocksApart(create) : create();
      const id = nextId++;
      // At once: were the thread to end before the model is freed, nobody else would release it.
      sessions.set(id, session);
      await freeArrays([model]);
      return id;
    }),
  releaseSession(handle) {
    sessions.get(handle)?.release();
    sessions.delete(handle);
  },
  run(handle, feeds, into) {
    const session = sessions.get(handle);
    if (!session)
      throw new TypeError(`the device has no program ${handle}: it was unloaded, or never loaded`);
    return session.run(locatedAll(feeds), locatedAll(into));
  },
  lend: (arrays) =>
    arrays.map((array) => {
      lent.set(nextId, array);
      return nextId++;
    }),
  giveBack(handles) {
    for (const handle of handles) lent.delete(handle);
  },
  createMemory(byteLength) {
    memories.set(nextId, new WebAssembly.Memory({ initial: Math.ceil(byteLength / PAGE) }));
    return nextId++;
  },
  releaseMemory(memory) {
    memories.delete(memory);
    for (const [id, held] of instances) if (held.memory === memory) instances.delete(id);
  },
  clear(memory, byteOffset, byteLength) {
    new Uint8Array(bufferOf(memory), byteOffset, byteLength).fill(0);
  },
  read,
  write(target, data) {
    view(target).set(data);
  },
  keepColumns,
  async instantiate(memory, module) {
    const { instance } = await WebAssembly.instantiate(module as BufferSource, {
      env: { memory: memories.get(memory)! },
    });
    instances.set(nextId, { memory, instance });
    return nextId++;
  },
  call(instance, name, args) {
    return (instances.get(instance)!.instance.exports[name] as (...args: number[]) => number)(...args);
  },
};

serve(
  answers,
  {
    run: async (program, feeds, into) => answers.run(program, feeds, into),
    read: async (source) => read(source),
    keepColumns: async (tensor, kept) => keepColumns(tensor, kept),
  },
  () => {
    for (const session of sessions.values()) session.release();
  },
);
