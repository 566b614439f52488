import { describe, expect, test } from 'vitest';
import { parseSafetensors } from '../../lib/checkpoint/safetensors.js';
import { floatEntry as f32, safetensorsBytes as file } from '../support/safetensors-file.js';

/** [what is wrong, the file, words of the message] */
const REFUSED: [string, Uint8Array, RegExp][] = [
  ['an empty file', new Uint8Array(0), /it has 0 bytes, fewer than the 8/],
  [
    'a header beyond the limit',
    file({}, 0, 100_000_001),
    /header would have 100000001 bytes, the format allows 100000000/,
  ],
  ['a length of 2^64 - 1', Buffer.alloc(9, 0xff), /header would have 18446744073709551615 bytes/],
  [
    'a header beyond the end',
    file({}, 0, 3),
    /truncated: its header of 3 bytes does not fit in a file of 10 bytes/,
  ],
  ['an empty header', file('', 0), /does not start with "{"/],
  ['a header that begins with a blank', file(' {}', 0), /does not start with "{"/],
  ['a list as header', file('[]', 0), /does not start with "{"/],
  ['broken JSON', file('{"a":', 0), /not valid JSON/],
  [
    'bytes that are not UTF-8',
    Buffer.concat([file('', 0, 3), Buffer.from([0x7b, 0xff, 0x7d])]),
    /not valid JSON/,
  ],
  [
    'a tensor twice',
    file(`{"a":${JSON.stringify(f32(0, 4))},"a":${JSON.stringify(f32(0, 4))}}`, 4),
    /key "a" twice/,
  ],
  [
    'a tensor twice, once escaped',
    file(`{"a":${JSON.stringify(f32(0, 4))},"\\u0061" : 1}`, 4),
    /key "a" twice/,
  ],
  [
    'a key of a tensor twice',
    file('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
    /"dtype" twice/,
  ],
  ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}', 0), /"__metadata__" twice/],
  ['metadata that is a list', file({ __metadata__: ['a'] }, 0), /__metadata__ must be an object of strings/],
  [
    'metadata with a number',
    file({ __metadata__: { a: 1 } }, 0),
    /__metadata__ must be an object of strings/,
  ],
  ['a tensor that is null', file({ a: null }, 0), /"a" is not described by an object/],
  [
    'an unknown dtype',
    file({ a: { ...f32(0, 4), dtype: 'F31' } }, 4),
    /"a" has dtype "F31": .*F32, F16, BF16, I64/,
  ],
  [
    'a dtype of Object.prototype',
    file({ a: { ...f32(0, 4), dtype: 'toString' } }, 4),
    /"a" has dtype "toString"/,
  ],
  ['no dtype', file({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /"a" has dtype undefined/],
  ['an unknown key', file({ a: { ...f32(0, 4), strides: [1] } }, 4), /"a" has an unknown key "strides"/],
  ['a negative size', file({ a: f32(0, 4, [-1]) }, 4), /"a" has a shape that is not/],
  ['a fractional size', file({ a: f32(0, 4, [0.5]) }, 4), /"a" has a shape that is not/],
  ['an unsafe size', file({ a: f32(0, 4, [2 ** 53]) }, 4), /"a" has a shape that is not/],
  [
    'a shape that overflows',
    file({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4),
    /"a" has a shape too large to count/,
  ],
  [
    'a single offset',
    file({ a: { ...f32(0, 4), data_offsets: [0] } }, 4),
    /"a" has data_offsets that are not two/,
  ],
  [
    'an offset as text',
    file({ a: { ...f32(0, 4), data_offsets: [0, '4'] } }, 4),
    /"a" has data_offsets that are not two/,
  ],
  ['an end before its begin', file({ a: f32(4, 0, [1]) }, 4), /"a" begins at byte 4, after its end at 0/],
  [
    'fewer bytes than the shape',
    file({ a: f32(0, 4, [2, 3]) }, 4),
    /"a" of shape \[2, 3\] and dtype F32 needs 24 bytes, .*give 4/,
  ],
  [
    'more bytes than the shape',
    file({ a: f32(0, 8, [1]) }, 8),
    /"a" of shape \[1\] and dtype F32 needs 4 bytes, .*give 8/,
  ],
  [
    'an overlap',
    file({ a: f32(0, 8), b: f32(4, 12) }, 12),
    /"b" begins at byte 4, inside the tensor that ends at 8/,
  ],
  [
    'the same bytes for two',
    file({ a: f32(0, 8), b: f32(0, 8) }, 8),
    /"b" begins at byte 0, inside the tensor that ends at 8/,
  ],
  [
    'a hole',
    file({ a: f32(0, 4), b: f32(8, 12) }, 12),
    /"b" begins at byte 8: bytes 4 to 8 belong to no tensor/,
  ],
  [
    'a hole at the start',
    file({ a: f32(4, 8) }, 8),
    /"a" begins at byte 4: bytes 0 to 4 belong to no tensor/,
  ],
  [
    'a truncated buffer',
    file({ a: f32(0, 8) }, 7),
    /"a" ends at byte 8, but the file holds 7: it is truncated/,
  ],
  ['bytes after the last tensor', file({ a: f32(0, 4) }, 9), /the last 5 bytes belong to no tensor/],
];

describe('parseSafetensors refuses', () => {
  test.each(REFUSED)('%s', (_, bytes, message) => {
    const error = thrownBy(() => parseSafetensors(bytes, 'weights.safetensors'));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^weights\.safetensors[: ]/);
    expect(error.message).toMatch(/\.$/);
    expect(error.message).not.toContain('\n');
  });
});

describe('parseSafetensors accepts', () => {
  test('no tensors', () => {
    expect(parseSafetensors(file({}, 0), 'x').size).toBe(0);
  });

  test('tensors listed in another order than their bytes, blanks after the header', () => {
    const header = JSON.stringify({ b: f32(4, 12), a: f32(0, 4) }) + '   ';
    const tensors = parseSafetensors(file(header, new Uint8Array(Float32Array.of(1, 2, 3).buffer)), 'x');
    expect([...tensors].map(([name, { data }]) => [name, [...data]])).toEqual([
      ['a', [1]],
      ['b', [2, 3]],
    ]);
  });

  test('scalars, tensors without elements, a name like a property of every object', () => {
    const header = { scalar: f32(0, 4, []), empty: f32(4, 4, [3, 0]), constructor: f32(4, 8) };
    const tensors = parseSafetensors(file(header, new Uint8Array(Float32Array.of(7, 8).buffer)), 'x');
    expect(tensors.get('scalar')).toEqual({ shape: [], dtype: 'float32', data: Float32Array.of(7) });
    expect(tensors.get('empty')!.data).toHaveLength(0);
    expect([...tensors.get('constructor')!.data]).toEqual([8]);
  });

  test('strings in metadata and names that look like JSON', () => {
    const name = '"a":{"a\\';
    const header = { __metadata__: { '{"x': '"x":"x"' }, [name]: f32(0, 4) };
    expect([...parseSafetensors(file(header, 4), 'x').keys()]).toEqual([name]);
  });

  test('tensors that are not aligned in the file', () => {
    const buffer = Buffer.from(Uint16Array.of(0x3c00, 0, 0x4000, 0x3f80).buffer);
    buffer.writeFloatLE(5, 2);
    const header = {
      half: { dtype: 'F16', shape: [1], data_offsets: [0, 2] },
      single: f32(2, 6),
      brain: { dtype: 'BF16', shape: [1], data_offsets: [6, 8] },
    };
    const values = [...parseSafetensors(file(`${JSON.stringify(header)} `, buffer), 'x')].map(
      ([, { data }]) => data[0],
    );
    expect(values).toEqual([1, 5, 1]);
  });
});

function thrownBy(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
