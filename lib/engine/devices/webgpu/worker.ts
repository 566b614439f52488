/** The WebGPU device's worker thread: ONNX Runtime's sessions on its WebGPU provider, one run at a time. */
import type * as OnnxRuntime from 'onnxruntime-node';
import type { DeviceTensor, DeviceThread, HostArray } from '../../device.js';
import { elementCount } from '../../graph.js';
import type { Answers } from '../thread/protocol.js';
import { serve } from '../thread/serve.js';
import {
  adamw,
  add,
  clear,
  createBuffer,
  feedOf,
  giveBuffer,
  hostTensor,
  isWhole,
  openSession,
  ort,
  placeOf,
  read,
  releaseBuffer,
  write,
  writePart,
  zeros,
} from './buffers.js';
import type { WebGpuCalls } from './calls.js';

const sessions = new Map<number, OnnxRuntime.InferenceSession>();
let nextId = 1;

let last: Promise<unknown> = Promise.resolve();
/** One after the other: a call is several runs, and the provider takes one run at a time. */
function inTurn<Result>(call: () => Result | Promise<Result>): Promise<Result> {
  const result = last.then(call);
  last = result.catch(() => undefined);
  return result;
}

const run: DeviceThread['run'] = (session, feeds, into) => inTurn(() => runProgram(session, feeds, into));

/**
 * Outputs are bound to the buffers they are for. Where a buffer is read by the same run, or the place is a part of one, the output gets a
 * buffer of its own first: WebGPU forbids to read and write a buffer at once, and outputs begin at the start of theirs.
 */
async function runProgram(
  program: number,
  feeds: Parameters<typeof run>[1],
  into: Readonly<Record<string, DeviceTensor>>,
): Promise<Record<string, HostArray>> {
  const session = sessions.get(program);
  if (!session) throw new Error(`there is no program ${program}: it was unloaded`);
  const read = new Set(Object.values(feeds).flatMap((feed) => ('handle' in feed ? [feed.handle] : [])));
  const passing: OnnxRuntime.Tensor[] = [];
  try {
    const inputs: Record<string, OnnxRuntime.Tensor> = {};
    for (const [name, feed] of Object.entries(feeds)) {
      const { fed, copy } =
        'data' in feed ? { fed: hostTensor(feed.data, feed.shape), copy: undefined } : await feedOf(feed);
      inputs[name] = fed;
      if (copy) passing.push(copy);
    }
    const outputs: Record<string, OnnxRuntime.Tensor | null> = {};
    const written: { target: DeviceTensor; buffer: OnnxRuntime.Tensor }[] = [];
    for (const name of session.outputNames) {
      const target = into[name];
      if (!target) outputs[name] = null;
      else if (isWhole(target) && !read.has(target.handle)) outputs[name] = placeOf(target);
      else {
        const buffer = await zeros(elementCount(target.shape));
        written.push({ target, buffer });
        outputs[name] = ort.Tensor.fromGpuBuffer(buffer.gpuBuffer, {
          dataType: target.dtype,
          dims: [...target.shape],
        });
      }
    }
    const results = await session.run(inputs, outputs);
    for (const { target, buffer } of written) {
      if (isWhole(target)) giveBuffer(target, buffer);
      else {
        passing.push(buffer);
        await writePart(target, buffer);
      }
    }
    return Object.fromEntries(
      session.outputNames
        .filter((name) => !(name in into))
        .map((name) => [name, results[name].data as HostArray]),
    );
  } finally {
    for (const tensor of passing) tensor.dispose();
  }
}

const answers: Answers<WebGpuCalls> = {
  probe: () => inTurn(async () => (await zeros(1)).dispose()),
  createSession: (model) =>
    inTurn(async () => {
      sessions.set(nextId, await openSession(model, false));
      return nextId++;
    }),
  releaseSession: (session) =>
    inTurn(async () => {
      await sessions.get(session)?.release();
      sessions.delete(session);
    }),
  run,
  createBuffers: (sizes) =>
    inTurn(async () => {
      const handles: number[] = [];
      for (const size of sizes) handles.push(await createBuffer(size));
      return handles;
    }),
  releaseBuffers: (handles) => inTurn(() => handles.forEach(releaseBuffer)),
  read: (source) => inTurn(() => read(source)),
  write: (target, data) => inTurn(() => write(target, data)),
  clear: (target) => inTurn(() => clear(target)),
  add: (pairs) =>
    inTurn(async () => {
      for (const { onto, from } of pairs) await add(onto, from);
    }),
  adamw: (parameters, update) => inTurn(() => adamw(parameters, update)),
};

serve(answers, run, () => last);
