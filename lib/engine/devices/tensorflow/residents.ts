/** Tensors that stay on a TensorFlow.js backend between runs: one variable each, found by the place that a `DeviceTensor` names. */
import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import type { DeviceTensor } from '../../device.js';
import { elementCount, sameShape } from '../../graph.js';
import { tf } from '../../tf.js';

interface Resident {
  /** Elements of the allocation before it. */
  readonly start: number;
  readonly variable: Variable;
}

/** Made on the backend: `tf.zeros` makes them in JavaScript's memory first. */
export const zeros = (shape: readonly number[]): Tensor => tf.fill([...shape], 0, 'float32');

/** Allocations by handle. All of it works on the current backend. */
export class Residents {
  readonly #allocations = new Map<number, readonly Resident[]>();
  #lastHandle = 0;

  /** Variables of zeros, one after the other. */
  allocate<Name extends string>(
    shapes: readonly (readonly [Name, readonly number[]])[],
  ): { handle: number; tensors: Map<Name, DeviceTensor> } {
    const handle = ++this.#lastHandle;
    const tensors = new Map<Name, DeviceTensor>();
    const residents: Resident[] = [];
    let start = 0;
    for (const [name, shape] of shapes) {
      residents.push({ start, variable: tf.tidy(() => tf.variable(zeros(shape), false)) });
      tensors.set(name, { handle, start, shape, dtype: 'float32' });
      start += elementCount(shape);
    }
    this.#allocations.set(handle, residents);
    return { handle, tensors };
  }

  /** An allocation's variables, in their order. */
  variablesOf(handle: number): readonly Variable[] {
    return this.#allocation(handle).map(({ variable }) => variable);
  }

  /** The tensor at that place: the variable itself, or a slice of it. */
  get(place: DeviceTensor): Tensor {
    const { variable, before, size, isWhole } = this.#find(place);
    if (isWhole && sameShape(variable.shape, place.shape)) return variable;
    const flat = tf.reshape(variable, [-1]);
    return tf.reshape(isWhole ? flat : tf.slice(flat, before, size), [...place.shape]);
  }

  /** Puts values at that place. A variable of which it is a part is put together anew. */
  set(place: DeviceTensor, values: Tensor): void {
    const { variable, before, size, isWhole } = this.#find(place);
    if (values.size !== size)
      throw new RangeError(`[${values.shape.join(', ')}] does not fit into [${place.shape.join(', ')}]`);
    if (isWhole) {
      variable.assign(sameShape(values.shape, variable.shape) ? values : tf.reshape(values, variable.shape));
      return;
    }
    const flat = tf.reshape(variable, [-1]);
    const behind = before + size;
    const parts = [
      tf.slice(flat, 0, before),
      tf.reshape(values, [-1]),
      tf.slice(flat, behind, variable.size - behind),
    ];
    const whole = tf.concat(parts.filter((part) => part.size > 0));
    variable.assign(tf.reshape(whole, variable.shape));
  }

  release(handle: number): void {
    for (const { variable } of this.#allocations.get(handle) ?? []) variable.dispose();
    this.#allocations.delete(handle);
  }

  releaseAll(): void {
    for (const handle of [...this.#allocations.keys()]) this.release(handle);
  }

  /** The variable that holds the place, and what of it the place is. */
  #find({ handle, start, shape }: DeviceTensor) {
    const { variable, start: first } = this.#allocation(handle).findLast((each) => each.start <= start)!;
    const before = start - first;
    const size = elementCount(shape);
    if (before + size > variable.size)
      throw new RangeError(`[${shape.join(', ')}] at ${start} reaches beyond the tensor it begins in`);
    return { variable, before, size, isWhole: size === variable.size };
  }

  #allocation(handle: number): readonly Resident[] {
    const allocation = this.#allocations.get(handle);
    if (!allocation) throw new RangeError(`there is no allocation ${handle}: it has been released`);
    return allocation;
  }
}
