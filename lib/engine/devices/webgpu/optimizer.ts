/** Parameters, gradients and AdamW's moments, a GPU buffer each. */
import { openParts, releaseAll } from '../../../release.js';
import { compile } from '../../compile.js';
import type { Device, DeviceOptimizer, DeviceTensor } from '../../device.js';
import { elementCount } from '../../graph.js';
import { tf } from '../../tf.js';
import type { WebGpuCalls } from './calls.js';

type Shapes = readonly (readonly [string, readonly number[]])[];

/** What the optimizer asks of the worker thread, beside what a device does. */
interface WebGpuThread extends Device {
  call<M extends 'add' | 'adamw'>(method: M, ...args: Parameters<WebGpuCalls[M]>): Promise<void>;
}

/**
 * The sums over the micro-batches of a step are a fifth buffer for each parameter, which is made by the first `accumulate`: a training
 * that takes a step after every batch does without.
 */
export function openWebGpuOptimizer(device: WebGpuThread, shapes: Shapes): Promise<DeviceOptimizer> {
  return openParts(async (opened) => {
    const open = async () => {
      const memory = await device.allocate(shapes, 'a training');
      opened.push(memory.release);
      return memory.tensors;
    };
    const [parameters, gradients, means, squares] = [await open(), await open(), await open(), await open()];
    const squaresOf = await compileRowSquares(device, shapes);
    opened.push(squaresOf.dispose);
    let totals: ReadonlyMap<string, DeviceTensor> | undefined;
    let isSummed = false;
    const handleOf = (tensors: ReadonlyMap<string, DeviceTensor>, name: string) => tensors.get(name)!.handle;
    const source = () => (isSummed ? totals! : gradients);
    return {
      parameters,
      gradients,
      means,
      squares,
      async accumulate() {
        totals ??= await open();
        const pairs = shapes.map(([name]) => ({
          onto: handleOf(totals!, name),
          from: handleOf(gradients, name),
        }));
        await device.call('add', pairs);
        isSummed = true;
      },
      async sumOfSquares() {
        const { rows } = await squaresOf(Object.fromEntries(source()));
        let sum = 0;
        for (const square of rows) sum += square;
        return sum;
      },
      async step(update) {
        const handles = shapes.map(([name]) => ({
          parameter: handleOf(parameters, name),
          gradient: handleOf(source(), name),
          mean: handleOf(means, name),
          square: handleOf(squares, name),
        }));
        await device.call('adamw', handles, update);
        if (isSummed) for (const total of totals!.values()) await device.clear(total);
        isSummed = false;
      },
      release: () => releaseAll(opened),
    };
  });
}

/** Sums of the squares of every gradient's rows, float32, of all gradients one after the other: float64 adds them up in ordinary memory. */
function compileRowSquares(device: Device, shapes: Shapes) {
  return compile(
    (gradients) => ({
      rows: tf.concat(
        shapes.map(([name, shape]) => {
          const rows = shape.length < 2 ? 1 : shape[0];
          return tf.sum(tf.square(tf.reshape(gradients[name], [rows, elementCount(shape) / rows])), 1);
        }),
      ),
    }),
    Object.fromEntries(shapes.map(([name, shape]) => [name, { shape, dtype: 'float32' as const }])),
    { device },
  );
}
