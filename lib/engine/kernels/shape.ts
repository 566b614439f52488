/** Kernels that move elements about without computing on them. */
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { defineKernel, type Trace } from '../trace.js';
import { tf } from '../tf.js';

/** One size may be -1: that which the others leave. It stays -1, so that a run may feed an input of another size. */
export function reshape(trace: Trace, x: TensorInfo, shape: number[]): TensorInfo {
  const sizes = tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(x.shape));
  return trace.emit('Reshape', [x, trace.constant(shape, 'int64')], sizes, x.dtype);
}

/** What stands for the end of an axis of any size. */
const TO_THE_END = 2 ** 31 - 1;

defineKernel('Reshape', (trace, { x }, { shape }) => reshape(trace, x, [...(shape as number[])]));
defineKernel('ExpandDims', (trace, { input }, { dim }) => {
  const shape = [...input.shape];
  const axis = (dim as number) < 0 ? shape.length + (dim as number) + 1 : (dim as number);
  shape.splice(axis, 0, 1);
  return trace.emit('Unsqueeze', [input, trace.constant([axis], 'int64')], shape, input.dtype);
});
defineKernel('Transpose', (trace, { x }, { perm }) => {
  const order = [...(perm as number[])];
  return trace.emit(
    'Transpose',
    [x],
    order.map((axis) => x.shape[axis]),
    x.dtype,
    { perm: order },
  );
});
defineKernel('Slice', (trace, { x }, { begin, size }) => {
  const [starts, sizes] = tf.slice_util.parseSliceParams(
    x as Parameters<typeof tf.slice_util.parseSliceParams>[0],
    begin as number[],
    size as number[],
  );
  const ends = starts.map((start, axis) => {
    const end = start + sizes[axis];
    return end === x.shape[axis] ? TO_THE_END : end;
  });
  const axes = starts.map((_, axis) => axis);
  const constants = [starts, ends, axes].map((values) => trace.constant(values, 'int64'));
  return trace.emit('Slice', [x, ...constants], sizes, x.dtype);
});
defineKernel('SplitV', (trace, { x }, { numOrSizeSplits, axis }) => {
  const along = tf.util.parseAxisParam(axis as number, x.shape)[0];
  const sizes = tf.backend_util.prepareSplitSize(
    x as Parameters<typeof tf.backend_util.prepareSplitSize>[0],
    numOrSizeSplits as number[],
    along,
  );
  const outputs = sizes.map((size) => ({
    shape: x.shape.map((all, i) => (i === along ? size : all)),
    dtype: x.dtype,
  }));
  return trace.emitAll('Split', [x, trace.constant(sizes, 'int64')], outputs, { axis: along });
});

/** TensorFlow.js passes a list of tensors as inputs "0", "1", ... */
const listed = (inputs: Record<string, TensorInfo>): TensorInfo[] =>
  Object.keys(inputs)
    .sort((a, b) => Number(a) - Number(b))
    .map((key) => inputs[key]);

defineKernel('Concat', (trace, inputs, { axis }) => {
  const parts = listed(inputs);
  const along = tf.util.parseAxisParam(axis as number, parts[0].shape)[0];
  const shape = [...parts[0].shape];
  shape[along] = parts.reduce((total, part) => total + part.shape[along], 0);
  return trace.emit('Concat', parts, shape, parts[0].dtype, { axis: along });
});
defineKernel('Pack', (trace, inputs, { axis }) => {
  const parts = listed(inputs);
  const along = (axis as number) < 0 ? parts[0].shape.length + 1 + (axis as number) : (axis as number);
  const expanded = [...parts[0].shape];
  expanded.splice(along, 0, 1);
  const shape = expanded.map((size, i) => (i === along ? parts.length : size));
  return trace.emit(
    'Concat',
    parts.map((part) => reshape(trace, part, expanded)),
    shape,
    parts[0].dtype,
    { axis: along },
  );
});
defineKernel('Unpack', (trace, { value }, { axis }) => {
  const along = tf.util.parseAxisParam(axis as number, value.shape)[0];
  const count = value.shape[along];
  const slices = trace.emitAll(
    'Split',
    [value, trace.constant(Array(count).fill(1) as number[], 'int64')],
    Array.from({ length: count }, () => ({
      shape: value.shape.map((size, i) => (i === along ? 1 : size)),
      dtype: value.dtype,
    })),
    { axis: along },
  );
  return slices.map((slice) =>
    reshape(
      trace,
      slice,
      value.shape.filter((_, i) => i !== along),
    ),
  );
});
defineKernel('Tile', (trace, { x }, { reps }) => {
  const repeats = reps as number[];
  return trace.emit(
    'Tile',
    [x, trace.constant(repeats, 'int64')],
    x.shape.map((size, i) => size * repeats[i]),
    x.dtype,
  );
});
defineKernel('PadV2', (trace, { x }, { paddings, constantValue }) => {
  const amounts = paddings as [number, number][];
  const pads = trace.constant(
    [...amounts.map(([before]) => before), ...amounts.map(([, after]) => after)],
    'int64',
  );
  const value = trace.constant([constantValue as number], x.dtype === 'int32' ? 'int32' : 'float32', []);
  return trace.emit(
    'Pad',
    [x, pads, value],
    x.shape.map((size, i) => size + amounts[i][0] + amounts[i][1]),
    x.dtype,
  );
});
defineKernel('Reverse', (trace, { x }, { dims }) => {
  const axes = tf.util.parseAxisParam(dims as number[], x.shape);
  const each = (value: number) =>
    trace.constant(
      axes.map(() => value),
      'int64',
    );
  // Slicing from the last element to before the first, in steps of -1.
  return trace.emit(
    'Slice',
    [x, each(-1), each(-(2 ** 31)), trace.constant(axes, 'int64'), each(-1)],
    x.shape,
    x.dtype,
  );
});

defineKernel('Fill', (trace, _inputs, { shape, value, dtype }) =>
  trace.filled(value as number, shape as number[], (dtype as DataType | undefined) ?? 'float32'),
);
defineKernel('ZerosLike', (trace, { x }) => trace.filled(0, x.shape, x.dtype));
defineKernel('OnesLike', (trace, { x }) => trace.filled(1, x.shape, x.dtype));

defineKernel('GatherV2', (trace, { x, indices }, { axis, batchDims }) => {
  if (batchDims)
    throw new TypeError('tf.gather with batchDims cannot be compiled: use oneHot or batchDims 0');
  const along = tf.util.parseAxisParam(axis as number, x.shape)[0];
  const shape = [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)];
  return trace.emit('Gather', [x, indices], shape, x.dtype, { axis: along });
});
/** Gather's gradient. ScatterElements adds one row after the other; ScatterND adds in parallel and its bits differ from run to run. */
defineKernel('UnsortedSegmentSum', (trace, { x, segmentIds }, { numSegments }) => {
  const rows = segmentIds.shape[0];
  const shape = [numSegments as number, ...x.shape.slice(1)];
  const column = reshape(trace, segmentIds, [rows, ...x.shape.slice(1).map(() => 1)]);
  const indices = trace.emit('Expand', [column, trace.constant(x.shape, 'int64')], x.shape, 'int32');
  return trace.emit('ScatterElements', [trace.filled(0, shape, x.dtype), indices, x], shape, x.dtype, {
    axis: 0,
    reduction: 'add',
  });
});
/** ONNX Runtime has no OneHot from int32 to int32: ones and zeros are made as floats. */
defineKernel('OneHot', (trace, { indices }, { depth, onValue, offValue, dtype }) => {
  const size = trace.constant([depth as number], 'int32', []);
  const type = (dtype as DataType | undefined) ?? 'int32';
  const values = trace.constant([offValue as number, onValue as number], 'float32');
  const shape = [...indices.shape, depth as number];
  const floats = trace.emit('OneHot', [indices, size, values], shape, 'float32', { axis: -1 });
  return type === 'float32' ? floats : trace.emit('Cast', [floats], shape, type, { to: 6 });
});
