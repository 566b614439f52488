import { describe, expect, test } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from '../../lib/checkpoint/float16.js';

const ALL_HALVES = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

/** The value of a binary floating-point pattern by its definition: (-1)^s 2^(e - bias) (1 + m / 2^mantissaBits). */
function valueOf(bits: number, exponentBits: number, mantissaBits: number): number {
  const sign = bits >>> (exponentBits + mantissaBits) ? -1 : 1;
  const exponent = (bits >>> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * 2 ** (1 - bias) * fraction : sign * 2 ** (exponent - bias) * (1 + fraction);
}

function toFloat16(value: number): number {
  return float32ToFloat16(Float32Array.of(value))[0]!;
}

describe('widening', () => {
  test('gives every float16 its value', () => {
    const widened = float16ToFloat32(ALL_HALVES);
    const wrong = ALL_HALVES.filter((bits) => !Object.is(widened[bits], valueOf(bits, 5, 10)));
    expect(wrong).toHaveLength(0);
  });

  test('gives every bfloat16 its value', () => {
    const widened = bfloat16ToFloat32(ALL_HALVES);
    const wrong = ALL_HALVES.filter((bits) => !Object.is(widened[bits], valueOf(bits, 8, 7)));
    expect(wrong).toHaveLength(0);
  });
});

describe('narrowing to float16', () => {
  test('undoes widening for every number, and keeps NaN a NaN', () => {
    const again = float32ToFloat16(float16ToFloat32(ALL_HALVES));
    const isNaNPattern = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;
    const wrong = ALL_HALVES.filter((bits) =>
      isNaNPattern(bits) ? !isNaNPattern(again[bits]!) : again[bits] !== bits,
    );
    expect(wrong).toHaveLength(0);
  });

  test('rounds to the nearest, halfway to the even pattern, between all neighbours', () => {
    const wrong: number[] = [];
    for (const sign of [0, 0x8000]) {
      for (let bits = 0; bits < 0x7bff; bits++) {
        const low = valueOf(bits, 5, 10);
        const high = valueOf(bits + 1, 5, 10);
        const middle = (low + high) / 2; // Exact in float32.
        const nudge = Math.max(middle * 2 ** -23, 2 ** -149);
        const signed = (value: number): number => toFloat16(sign ? -value : value) & 0x7fff;
        const even = bits % 2 === 0 ? bits : bits + 1;
        if (signed(middle) !== even) wrong.push(bits);
        if (signed(middle - nudge) !== bits || signed(middle + nudge) !== bits + 1) wrong.push(bits);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    [65504, 0x7bff],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [-1e30, 0xfc00],
    [Infinity, 0x7c00],
    [-0, 0x8000],
    [2 ** -25, 0],
    [2 ** -149, 0],
  ])('turns %d into pattern %d', (value, bits) => {
    expect(toFloat16(value)).toBe(bits);
  });

  test('reads a view that does not begin at its buffer', () => {
    expect([...float32ToFloat16(Float32Array.of(9, 1, 2).subarray(1))]).toEqual([0x3c00, 0x4000]);
  });
});
