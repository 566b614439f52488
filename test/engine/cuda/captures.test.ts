/** Programs that cannot be captured as CUDA graphs, on functions of ONNX Runtime that only note that they are called. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Allocations } from '../../../lib/engine/devices/cuda/allocations.js';
import type { Memory } from '../../../lib/engine/devices/cuda/memory.js';
import { Program, type ProgramKind } from '../../../lib/engine/devices/cuda/program.js';
import type { Runtime } from '../../../lib/engine/devices/cuda/runtime.js';
import type { OrtApi } from '../../../lib/engine/devices/ort/ort-api.js';

const KIND: ProgramKind = {
  ...{ outputs: [], grows: false, inputBytes: {} },
  ...{ sharesArena: true, captures: true, hasOrderedSums: true },
};
const NOT_CAPTURED = '-1';

/** What sessions are opened with (enable_cuda_graph) and run with (gpu_graph_id), in order. */
let opened: string[], ran: string[], told: string[];
/** What opening a session, or running one, throws. */
let failsToOpen: (capturing: string) => string | undefined;
let failsToRun: (graph: string) => string | undefined;
beforeEach(() => {
  [opened, ran, told] = [[], [], []];
  failsToOpen = failsToRun = () => undefined;
});

function open(): Program {
  let handles = 0n;
  const graphs = new Map<bigint, string>();
  let capturing = '';
  const throwing = (message: string | undefined) => {
    if (message !== undefined) throw new Error(message);
  };
  const call: OrtApi['call'] = (name, ...args) => {
    if (name === 'UpdateCUDAProviderOptions')
      capturing = (args[2] as string[])[(args[1] as string[]).indexOf('enable_cuda_graph')];
    if (name === 'AddRunConfigEntry') graphs.set(args[0] as bigint, args[2] as string);
    if (name === 'RunWithBinding') {
      const graph = graphs.get(args[1] as bigint)!;
      ran.push(graph);
      throwing(failsToRun(graph));
    }
  };
  const get: OrtApi['get'] = (name) => {
    if (name.endsWith('Count')) return 0n;
    if (name === 'CreateSessionFromArray') {
      opened.push(capturing);
      throwing(failsToOpen(capturing));
    }
    return ++handles;
  };
  const api: OrtApi = { version: '', env: 0n, call, get, release: () => undefined };
  const memory = { provider: 'CUDA', synchronize: () => undefined } as unknown as Memory;
  const options = { tf32: false, orderedSums: true, graphs: true };
  const places = { device: 0n, host: 0n, allocator: 0n, closeArena: () => undefined };
  const runtime: Runtime = {
    ...options,
    ...places,
    api,
    memory,
    notCaptured: ({ message }) => told.push(message),
  };
  return new Program(runtime, {} as Allocations, new Uint8Array(), KIND);
}

const times = (count: number, program: Program) => {
  for (let time = 0; time < count; time++) program.run({}, {});
};

it('a program is captured, and nothing is told', () => {
  times(2, open());
  expect([opened, ran, told]).toEqual([['1'], ['1', '1'], []]);
});

describe('a program that ONNX Runtime', () => {
  const REFUSED = 'This session cannot use the graph capture feature as requested by the user';

  it('refuses to capture runs launch by launch, which is told', () => {
    failsToOpen = (capturing) => (capturing === '1' ? REFUSED : undefined);
    times(2, open());
    expect(opened).toEqual(['1', '0']);
    expect(ran).toHaveLength(2);
    expect(told).toEqual([REFUSED]);
  });

  it('does not take at all is no matter of capturing', () => {
    failsToOpen = () => 'the graph is wrong';
    expect(open).toThrow('the graph is wrong');
    failsToOpen = () => 'the bytes are wrong';
    opened = [];
    expect(open).toThrow('the bytes are wrong');
    expect([opened, told]).toEqual([['1'], []]);
  });

  it('fails to capture runs launch by launch from then on, which is told', () => {
    const failure = 'CUDA failure 900: operation not permitted when stream is capturing';
    failsToRun = (graph) => (graph === NOT_CAPTURED ? undefined : failure);
    times(3, open());
    expect(ran).toEqual(['1', NOT_CAPTURED, NOT_CAPTURED, NOT_CAPTURED]);
    expect(told).toEqual([failure]);
  });

  it('cannot run launch by launch either fails of what failed first, and is captured the next time', () => {
    const program = open();
    failsToRun = (graph) => `failed with ${graph}`;
    expect(() => times(1, program)).toThrow('failed with 1');
    failsToRun = () => undefined;
    times(1, program);
    expect(ran).toEqual(['1', NOT_CAPTURED, '1']);
    expect(told).toEqual([]);
  });
});
