/** The CPU device's worker thread: owns ONNX Runtime sessions and resident memory, so that the event loop of the caller stays free. */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { DeviceTensor, DeviceThread, Feed, HostArray } from '../../device.js';
import { freeArrays } from '../../free-arrays.js';
import { elementCount } from '../../graph.js';
import type { Answers } from '../thread/protocol.js';
import { serve } from '../thread/serve.js';
import type { CpuCalls } from './calls.js';

const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof OnnxRuntime;
const PAGE = 65_536;
/** Of a float32 or int32. */
const BYTES = 4;
/** Models whose copies are worth the 10 ms that the C library takes to be called. */
const LARGE_MODEL_BYTES = 32 * 2 ** 20;

const OPTIONS: OnnxRuntime.InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  logSeverityLevel: 3,
  // Both would keep the memory of a session's largest run, twice, until it is released: gigabytes a shape at BART-base size.
  // Without them runs are as fast.
  enableCpuMemArena: false,
  enableMemPattern: false,
  extra: {
    // Threads that wait for the next operator spin; between two runs they would take the cores from whatever else computes.
    session: { force_spinning_stop: '1' },
    // The fused kernel takes five times as long as the Add and the LayerNormalization it replaces.
    optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' },
  },
};

const sessions = new Map<number, OnnxRuntime.InferenceSession>();
const memories = new Map<number, WebAssembly.Memory>();
/** An instance holds its memory: both go together. */
const instances = new Map<number, { memory: number; instance: WebAssembly.Instance }>();
let nextId = 1;

function view({ handle, start, shape, dtype }: DeviceTensor): HostArray {
  const { buffer } = memories.get(handle)!;
  const byteOffset = start * BYTES;
  const length = elementCount(shape);
  return dtype === 'float32'
    ? new Float32Array(buffer, byteOffset, length)
    : new Int32Array(buffer, byteOffset, length);
}

function tensor(feed: Feed): OnnxRuntime.Tensor {
  const data = 'data' in feed ? feed.data : view(feed);
  return data instanceof Float32Array
    ? new ort.Tensor('float32', data, feed.shape)
    : new ort.Tensor('int32', data, feed.shape);
}

const run: DeviceThread['run'] = async (session, feeds, fetches) => {
  const running = sessions.get(session)!;
  const inputs = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, tensor(feed)]));
  const wanted = Object.fromEntries(
    running.outputNames.map((name) => [name, name in fetches ? tensor(fetches[name]) : null]),
  );
  const results = await running.run(inputs, wanted);
  return Object.fromEntries(
    running.outputNames
      .filter((name) => !(name in fetches))
      .map((name) => [name, results[name].data as HostArray]),
  );
};

const answers: Answers<CpuCalls> = {
  async createSession(model, threads) {
    const create = () => ort.InferenceSession.create(model, { ...OPTIONS, intraOpNumThreads: threads });
    const isLarge = process.platform === 'linux' && model.byteLength >= LARGE_MODEL_BYTES;
    const session = await (isLarge
      ? (await import('./allocator.js')).withLargeBlocksApart(create)
      : create());
    freeArrays([model]);
    sessions.set(nextId, session);
    return nextId++;
  },
  async releaseSession(session) {
    await sessions.get(session)?.release();
    sessions.delete(session);
  },
  run,
  createMemory(byteLength) {
    memories.set(nextId, new WebAssembly.Memory({ initial: Math.ceil(byteLength / PAGE) }));
    return nextId++;
  },
  releaseMemory(memory) {
    memories.delete(memory);
    for (const [id, held] of instances) if (held.memory === memory) instances.delete(id);
  },
  clear(memory, byteOffset, byteLength) {
    new Uint8Array(memories.get(memory)!.buffer, byteOffset, byteLength).fill(0);
  },
  read: view,
  write(target, data) {
    view(target).set(data);
  },
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

serve(answers, run);
