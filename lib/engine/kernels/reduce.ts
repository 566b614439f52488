/** Kernels that reduce along axes. */
import { defineKernel } from '../trace.js';
import { tf } from '../tf.js';

/** ReduceSum takes its axes as an input in opset 17, the other reductions as an attribute. */
for (const [kernel, op] of Object.entries({
  Sum: 'ReduceSum',
  Mean: 'ReduceMean',
  Max: 'ReduceMax',
  Min: 'ReduceMin',
  Prod: 'ReduceProd',
})) {
  defineKernel(kernel, (trace, { x }, attributes) => {
    const axis = (attributes.axis ?? attributes.reductionIndices) as number | number[];
    const axes = tf.util.parseAxisParam(axis, x.shape);
    if (axes.length === 0) return trace.emit('Identity', [x], x.shape, x.dtype);
    const keep = attributes.keepDims === true;
    const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
    const shape = keep ? kept : x.shape.filter((_, i) => !axes.includes(i));
    const keepdims = keep ? 1 : 0;
    return op === 'ReduceSum'
      ? trace.emit(op, [x, trace.constant(axes, 'int64')], shape, x.dtype, { keepdims })
      : trace.emit(op, [x], shape, x.dtype, { axes, keepdims });
  });
}

for (const kernel of ['ArgMax', 'ArgMin']) {
  defineKernel(kernel, (trace, { x }, { axis }) => {
    const along = tf.util.parseAxisParam(axis as number, x.shape)[0];
    const shape = x.shape.filter((_, i) => i !== along);
    // ONNX gives int64 indices, TensorFlow.js int32.
    const wide = trace.emit(kernel, [x], shape, 'int64', { axis: along, keepdims: 0 });
    return trace.emit('Cast', [wide], shape, 'int32', { to: 6 });
  });
}

defineKernel('Softmax', (trace, { logits }, { dim }) =>
  trace.emit('Softmax', [logits], logits.shape, logits.dtype, { axis: dim as number }),
);
defineKernel('Cumsum', (trace, { x }, { axis, exclusive, reverse }) =>
  trace.emit('CumSum', [x, trace.constant([axis as number], 'int64', [])], x.shape, x.dtype, {
    exclusive: exclusive ? 1 : 0,
    reverse: reverse ? 1 : 0,
  }),
);
