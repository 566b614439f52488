/** What the main thread may call in the WebGPU device's worker thread. */
import type { AdamWUpdate, DeviceTensor, Feed, HostArray } from '../../device.js';

/** The tensors of one parameter, by their handles. */
export interface ParameterHandles {
  readonly parameter: number;
  readonly gradient: number;
  readonly mean: number;
  readonly square: number;
}

/** Every call the worker answers, with the type of its answer. A handle names one GPU buffer, which holds one float32 tensor. */
export interface WebGpuCalls {
  /** Does nothing but open the provider. @throws what ONNX Runtime says where no adapter answers */
  probe(): void;
  createSession(model: Uint8Array): number;
  releaseSession(session: number): void;
  /** Outputs named in `into` are written where they say; the others come back as arrays. */
  run(
    session: number,
    feeds: Record<string, Feed>,
    into: Record<string, DeviceTensor>,
  ): Record<string, HostArray>;
  /** Buffers of so many elements each, zeroed. */
  createBuffers(sizes: readonly number[]): number[];
  releaseBuffers(handles: readonly number[]): void;
  read(source: DeviceTensor): HostArray;
  write(target: DeviceTensor, data: HostArray): void;
  clear(target: DeviceTensor): void;
  /** onto += from, for each pair of buffers. */
  add(pairs: readonly { readonly onto: number; readonly from: number }[]): void;
  adamw(parameters: readonly ParameterHandles[], update: AdamWUpdate): void;
}
