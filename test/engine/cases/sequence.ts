import fc from 'fast-check';
import { conv1d, lstm } from '../../../lib/engine/index.js';
import { floats, type KernelCase, sizes } from './kernel-case.js';

const convCase: KernelCase = fc
  .record({
    batch: sizes,
    inputs: sizes,
    outputs: sizes,
    kernel: sizes,
    extra: sizes,
    step: sizes,
    dilated: fc.boolean(),
  })
  .chain(({ batch, inputs, outputs, kernel, extra, step, dilated }) => {
    // TensorFlow.js dilates only where the stride is 1.
    const options = dilated ? { dilation: step } : { stride: step };
    const time = (kernel - 1) * (options.dilation ?? 1) + extra;
    return fc
      .record({
        x: floats([batch, inputs, time]),
        weight: floats([outputs, inputs, kernel]),
        bias: floats([outputs]),
      })
      .map((drawn) => ({
        inputs: drawn,
        program: ({ x, weight, bias }) => conv1d(x, weight, bias, options),
        differentiable: [],
      }));
  });

const lstmCase: KernelCase = fc
  .record({ batch: sizes, inputs: sizes, units: sizes, time: sizes })
  .chain(({ batch, inputs, units, time }) =>
    fc
      .record({
        x: floats([time, batch, inputs]),
        inputWeight: floats([1, 4 * units, inputs]),
        stateWeight: floats([1, 4 * units, units]),
        bias: floats([1, 8 * units]),
        hidden: floats([1, batch, units]),
        cell: floats([1, batch, units]),
      })
      .map((drawn) => ({
        inputs: drawn,
        program: ({ x, inputWeight, stateWeight, bias, hidden, cell }) => {
          const { y, state } = lstm(x, { inputWeight, stateWeight, bias }, { hidden, cell });
          return [y, state.hidden, state.cell];
        },
        differentiable: [],
      })),
  );

export const sequenceCases: Record<string, KernelCase> = {
  SpeechConv1d: convCase,
  SpeechLstm: lstmCase,
};
