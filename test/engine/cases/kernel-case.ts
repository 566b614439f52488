/** What a kernel is tested with, and generators for its inputs. */
import type { Tensor } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { elementCount } from '../../../lib/engine/graph.js';
import type { HostArray } from '../../../lib/engine/index.js';
import { uniformStream } from '../../../lib/random.js';

export interface HostInput {
  shape: number[];
  data: HostArray;
}

/** One random program and its inputs. */
export interface Drawn {
  inputs: Record<string, HostInput>;
  program: (tensors: Record<string, Tensor>) => Tensor | Tensor[];
  /** Inputs whose gradient is compared. */
  differentiable: string[];
}

export type KernelCase = fc.Arbitrary<Drawn>;

const SIZE = { min: 1, max: 4 };

/** A shape of `minRank` to `maxRank` axes of 1 to 4 elements. */
export function shapes(minRank = 0, maxRank = 4): fc.Arbitrary<number[]> {
  return fc.array(fc.integer(SIZE), { minLength: minRank, maxLength: maxRank });
}

export const sizes = fc.integer(SIZE);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** A float tensor uniform in [low, high). */
export function floats(shape: number[], low = -2, high = 2): fc.Arbitrary<HostInput> {
  return seeds.map((seed) => {
    const uniform = uniformStream(seed);
    const draw = () => low + (high - low) * uniform();
    return { shape, data: Float32Array.from({ length: elementCount(shape) }, draw) };
  });
}

/** An int32 tensor uniform in low ... high. */
export function integers(shape: number[], low = -3, high = 3): fc.Arbitrary<HostInput> {
  return seeds.map((seed) => {
    const uniform = uniformStream(seed);
    const draw = () => low + Math.floor((high - low + 1) * uniform());
    return { shape, data: Int32Array.from({ length: elementCount(shape) }, draw) };
  });
}

/** Whole numbers as floats, so that equal values occur. */
export function wholeFloats(shape: number[], low = -2, high = 2): fc.Arbitrary<HostInput> {
  return integers(shape, low, high).map(({ data }) => ({ shape, data: Float32Array.from(data) }));
}

/** Two shapes that broadcast: some axes are 1 in one of them, leading axes may be left out. */
export const broadcastShapes: fc.Arbitrary<[number[], number[]]> = shapes().chain((shape) => {
  const side = fc
    .tuple(fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }), fc.nat(shape.length))
    .map(([ones, dropped]) => shape.map((size, axis) => (ones[axis] ? 1 : size)).slice(dropped));
  return fc
    .tuple(side, fc.constant(shape))
    .chain((pair) => fc.constantFrom(pair, [pair[1], pair[0]])) as fc.Arbitrary<[number[], number[]]>;
});

/** Some of a shape's axes, in ascending order; negative numbers count from the end. */
export function someAxes(rank: number): fc.Arbitrary<number[]> {
  return fc
    .subarray([...Array(rank).keys()])
    .chain((axes) => fc.boolean().map((negative) => (negative ? axes.map((axis) => axis - rank) : axes)));
}

/** One axis of a shape, possibly counted from the end. */
export function anAxis(rank: number): fc.Arbitrary<number> {
  return fc.integer({ min: -rank, max: rank - 1 });
}

export const isFloat = ({ data }: HostInput): boolean => data instanceof Float32Array;

/** A tensor of either type. */
export function eitherType(shape: number[]): fc.Arbitrary<HostInput> {
  return fc.oneof(floats(shape), integers(shape));
}

/** A program of one tensor `x`, differentiable where x is a float. */
export function onX(
  x: fc.Arbitrary<HostInput>,
  programOf: (shape: number[]) => fc.Arbitrary<(x: Tensor) => Tensor | Tensor[]>,
): KernelCase {
  return x.chain((input) =>
    programOf(input.shape).map((program) => ({
      inputs: { x: input },
      program: (tensors) => program(tensors.x),
      differentiable: isFloat(input) ? ['x'] : [],
    })),
  );
}
