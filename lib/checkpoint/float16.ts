/** IEEE 754 binary16 and bfloat16 bit patterns to and from float32. Node 20 has no Float16Array. */

const FLOAT16_INFINITY = 0x7c00;
/** 2^-14, the smallest normal float16, as float32 bits. */
const SMALLEST_NORMAL = 0x38800000;
/** 2^16, from which everything rounds to infinity, as float32 bits. */
const OVERFLOW = 0x47800000;
const FLOAT32_INFINITY = 0x7f800000;
/** Difference of the exponent biases (127 - 15) in float32's exponent field. */
const REBIAS = 112 << 23;

/** float16 bit patterns to float32 values, exactly. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = widen(halves[i]!);
  return new Float32Array(bits.buffer);
}

/** bfloat16 bit patterns (the upper half of a float32) to float32 values, exactly. */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** float32 values to float16 bit patterns, rounded to nearest, ties to even; from 65520 on to infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = narrow(bits[i]!);
  return halves;
}

function widen(half: number): number {
  const sign = (half & 0x8000) << 16;
  const magnitude = half & 0x7fff;
  if (magnitude >= FLOAT16_INFINITY) return sign | FLOAT32_INFINITY | ((magnitude & 0x3ff) << 13);
  if (magnitude >= 0x400) return sign | ((magnitude << 13) + REBIAS);
  if (magnitude === 0) return sign;
  // A subnormal is magnitude * 2^-24: its leading one moves up to float32's implicit bit 23.
  const leadingBit = 31 - Math.clz32(magnitude);
  return sign | ((127 + leadingBit - 24) << 23) | ((magnitude << (23 - leadingBit)) & 0x7fffff);
}

function narrow(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > FLOAT32_INFINITY) return sign | FLOAT16_INFINITY | 0x200 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= OVERFLOW) return sign | FLOAT16_INFINITY;
  if (magnitude >= SMALLEST_NORMAL) return sign | roundShift(magnitude - REBIAS, 13);
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign; // Below 2^-25, half of the smallest subnormal.
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** `value / 2^shift` rounded to the nearest integer, ties to even. */
function roundShift(value: number, shift: number): number {
  const odd = (value >>> shift) & 1;
  return (value + (1 << (shift - 1)) - 1 + odd) >>> shift;
}
