/**
 * Tracing: runs a TensorFlow.js program once on a backend whose kernels compute nothing and only note which ONNX node would.
 * Gradients come from TensorFlow.js's own tape (`tf.valueAndGrads` inside the traced function), so the recorded list holds the
 * backward pass too. What jax.jit is to JAX.
 */
import type { DataType, KernelBackend, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { arrayOf, type Attribute, type DType, type Graph } from './graph.js';
import { tf } from './tf.js';

/** What a program's input is. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  /**
   * Axis along which a run may feed less than `shape` says, as a cache that grows, and of an open program also more. The program must not write that
   * size into an operator.
   */
  readonly growingAxis?: number;
  /**
   * Axes along which a run may feed any size, where the device says so of the compiled program (`DeviceProgram.isOpen`). The program must not
   * write such a size into an operator: it reshapes to -1 there, and batches of products have more than one axis (of a single one that is 1 comes a
   * product of matrices).
   */
  readonly openAxes?: readonly number[];
}

/** A program of TensorFlow.js operations: tensors in and out by name, the same operations whatever the values. */
export type TensorProgram = (inputs: Record<string, Tensor>) => Record<string, Tensor>;

const BACKEND = 'onnx-trace';
type Kernel = (
  trace: Trace,
  inputs: Record<string, TensorInfo>,
  attributes: Record<string, unknown>,
) => TensorInfo | TensorInfo[];
type TracedId = { name: string };

/** The graph being recorded and the helpers kernels write it with. */
export class Trace {
  readonly graph: Graph = { inputs: [], outputs: [], nodes: [], constants: new Map(), values: new Map() };
  readonly #known = new Map<object, string>();

  /** Appends a node with one output. */
  emit(
    op: string,
    inputs: (TensorInfo | string)[],
    shape: readonly number[],
    dtype: DataType | 'int64',
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): TensorInfo {
    return this.emitAll(op, inputs, [{ shape, dtype }], attributes, domain)[0];
  }

  /** Appends a node with several outputs. */
  emitAll(
    op: string,
    inputs: (TensorInfo | string)[],
    outputs: { shape: readonly number[]; dtype: DataType | 'int64' }[],
    attributes: Record<string, Attribute> = {},
    domain = '',
  ): TensorInfo[] {
    const made = outputs.map(({ shape, dtype }) => this.declare(shape, dtype));
    this.graph.nodes.push({
      op,
      domain,
      inputs: inputs.map((input) => (typeof input === 'string' ? input : this.nameOf(input))),
      outputs: made.map((output) => this.nameOf(output)),
      attributes,
    });
    return made;
  }

  /** A constant of int64 (shapes, axes) or of a tensor type; returns its name. */
  constant(values: readonly number[], dtype: DType, shape: readonly number[] = [values.length]): string {
    const name = `c${this.graph.values.size}`;
    this.graph.constants.set(name, { name, shape: [...shape], dtype, data: arrayOf(dtype, values) });
    this.graph.values.set(name, { name, shape: [...shape], dtype });
    return name;
  }

  /** A tensor of `shape` filled with one value, kept as a scalar that is expanded at run time. */
  filled(value: number, shape: readonly number[], dtype: DataType): TensorInfo {
    const scalar = this.constant([value], asDType(dtype), []);
    return this.emit('Expand', [scalar, this.constant(shape, 'int64')], shape, dtype);
  }

  declare(shape: readonly number[], dtype: DataType | 'int64'): TensorInfo {
    const name = `t${this.graph.values.size}`;
    this.graph.values.set(name, { name, shape: [...shape], dtype: asDType(dtype) });
    return { dataId: { name } as TracedId, shape: [...shape], dtype: dtype as DataType };
  }

  /** Name of a tensor of this trace; a tensor made outside (tf.tensor, tf.ones, a scalar in a formula) becomes a constant. */
  nameOf(info: TensorInfo): string {
    const traced = (info.dataId as Partial<TracedId>).name;
    if (traced !== undefined) return traced;
    const known = this.#known.get(info.dataId);
    if (known !== undefined) return known;
    const values = written.get(info.dataId);
    if (values === undefined)
      throw new TypeError(
        `a tensor of shape [${info.shape}] was made on another backend: pass it as an input`,
      );
    const uniform = values.length > 1 && values.every((value) => value === values[0]);
    const name = uniform
      ? this.nameOf(this.filled(values[0], info.shape, info.dtype))
      : this.constant(Array.from(values), asDType(info.dtype), info.shape);
    this.#known.set(info.dataId, name);
    return name;
  }
}

function asDType(dtype: DataType | 'int64'): DType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'int64' || dtype === 'bool') return dtype;
  throw new TypeError(`dtype ${dtype} cannot be compiled: use float32, int32 or bool`);
}

/** Values of tensors created by `tf.tensor` and the like while tracing, by data id. */
let written = new WeakMap<object, ArrayLike<number> & { every(test: (value: number) => boolean): boolean }>();
let current: Trace | undefined;

class TracingBackend extends tf.KernelBackend {
  override write(values: Float32Array, _shape: number[], _dtype: DataType): object {
    const dataId = {};
    if (values) written.set(dataId, values);
    return dataId;
  }
  override move(dataId: object, values: Float32Array): void {
    written.set(dataId, values);
  }
  override readSync(dataId: object): Float32Array {
    const values = written.get(dataId);
    if (values === undefined)
      throw new TypeError('a traced tensor has no value yet: dataSync() cannot be used inside compile()');
    return values as unknown as Float32Array;
  }
  override async read(dataId: object): Promise<Float32Array> {
    return this.readSync(dataId);
  }
  override numDataIds = () => 0;
  override disposeData = () => true;
  override refCount = () => 1;
  override incRef = () => undefined;
  override timerAvailable = () => false;
  override floatPrecision = (): 16 | 32 => 32;
  override epsilon = () => 1e-7;
  override memory = () => ({ unreliable: true, reasons: [] });
  override dispose = () => undefined;
}

tf.registerBackend(BACKEND, () => new TracingBackend() as KernelBackend);

/** Maps one TensorFlow.js kernel to ONNX nodes. */
export function defineKernel(kernelName: string, kernel: Kernel): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc: ({ inputs, attrs }) => {
      if (current === undefined)
        throw new TypeError(`${kernelName} ran on the tracing backend outside compile()`);
      return kernel(current, inputs as Record<string, TensorInfo>, attrs ?? {});
    },
  });
}

/** True while a program is being traced; fused operators look at it. */
export function isTracing(): boolean {
  return current !== undefined;
}

/**
 * Records `program` on placeholders of the given shapes.
 * @throws if the program uses a kernel without an ONNX mapping (named), reads a value, or is called inside another trace.
 */
export function trace(program: TensorProgram, inputs: Readonly<Record<string, InputSpec>>): Graph {
  if (current !== undefined)
    throw new TypeError('compile() was called inside a program that is being compiled');
  const before = tf.getBackend();
  const recording = new Trace();
  current = recording;
  written = new WeakMap();
  void tf.setBackend(BACKEND);
  try {
    tf.engine().startScope();
    const placeholders = Object.entries(inputs).map(([name, { shape, dtype }]) => {
      const value = { name, shape: [...shape], dtype };
      recording.graph.inputs.push(value);
      recording.graph.values.set(name, value);
      return [
        name,
        tf.engine().makeTensorFromTensorInfo({ dataId: { name }, shape: [...shape], dtype }),
      ] as const;
    });
    const results = program(Object.fromEntries(placeholders));
    for (const [name, tensor] of Object.entries(results)) {
      if (name in inputs) throw new TypeError(`"${name}" is the name of an input and of an output`);
      const shape = [...tensor.shape];
      const value = { name, shape, dtype: asDType(tensor.dtype) };
      recording.graph.nodes.push({
        op: 'Identity',
        domain: '',
        inputs: [recording.nameOf(tensor)],
        outputs: [name],
        attributes: {},
      });
      recording.graph.values.set(name, value);
      recording.graph.outputs.push(value);
    }
    return recording.graph;
  } catch (error) {
    const missing = /Kernel '(\w+)' not registered/.exec(String(error))?.[1];
    if (missing)
      throw new TypeError(
        `TensorFlow.js kernel '${missing}' has no ONNX mapping: add it to lib/engine/kernels`,
        {
          cause: error,
        },
      );
    throw error;
  } finally {
    tf.engine().endScope();
    current = undefined;
    // Where none was chosen before, the one that is always there: programs that run eagerly must not find this one.
    void tf.setBackend(before || 'cpu');
  }
}
