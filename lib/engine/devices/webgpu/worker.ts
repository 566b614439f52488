/** The WebGPU device's worker thread: ONNX Runtime's sessions on its WebGPU provider, one run at a time. */
import type * as OnnxRuntime from 'onnxruntime-node';
import { createTurns } from '../../../turns.js';
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
  outputOf,
  read,
  releaseBuffers,
  returnSpare,
  takeSpare,
  viewOf,
  write,
  writeParts,
  zeros,
} from './buffers.js';
import type { WebGpuCalls } from './calls.js';

const sessions = new Map<number, OnnxRuntime.InferenceSession>();
let nextId = 1;

/** A call is several runs, and the provider takes one run at a time. */
const inTurn = createTurns();

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
  const copies: OnnxRuntime.Tensor[] = [];
  try {
    const inputs: Record<string, OnnxRuntime.Tensor> = {};
    for (const [name, feed] of Object.entries(feeds)) {
      const { fed, copy } =
        'data' in feed ? { fed: hostTensor(feed.data, feed.shape), copy: undefined } : await feedOf(feed);
      inputs[name] = fed;
      if (copy) copies.push(copy);
    }
    const outputs: Record<string, OnnxRuntime.Tensor | null> = {};
    const replaced: { target: DeviceTensor; part: OnnxRuntime.Tensor }[] = [];
    const parts: typeof replaced = [];
    for (const name of session.outputNames) {
      const target = into[name];
      if (!target) outputs[name] = null;
      else if (isWhole(target) && !read.has(target.handle)) outputs[name] = outputOf(target);
      else {
        const part = await takeSpare(elementCount(target.shape));
        (isWhole(target) ? replaced : parts).push({ target, part });
        outputs[name] = viewOf(part, target.shape, target.dtype);
      }
    }
    const results = await session.run(inputs, outputs);
    for (const { target, part } of replaced) giveBuffer(target, part);
    await writeParts(parts);
    for (const { part } of parts) returnSpare(part);
    return Object.fromEntries(
      session.outputNames
        .filter((name) => !(name in into))
        .map((name) => [name, results[name].data as HostArray]),
    );
  } finally {
    for (const copy of copies) copy.dispose();
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
      try {
        for (const size of sizes) handles.push(await createBuffer(size));
        return handles;
      } catch (error) {
        releaseBuffers(handles);
        throw error;
      }
    }),
  releaseBuffers: (handles) => inTurn(() => releaseBuffers(handles)),
  read: (source) => inTurn(() => read(source)),
  write: (target, data) => inTurn(() => write(target, data)),
  clear: (target) => inTurn(() => clear(target)),
  add: (pairs) =>
    inTurn(async () => {
      for (const { onto, from } of pairs) await add(onto, from);
    }),
  adamw: (parameters, update) => inTurn(() => adamw(parameters, update)),
};

serve(answers, { run, read: (source) => inTurn(() => read(source)) }, () => inTurn(() => undefined));
