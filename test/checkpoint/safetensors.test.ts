import fc from 'fast-check';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { float16ToFloat32, float32ToFloat16 } from '../../lib/checkpoint/float16.js';
import {
  openSafetensors,
  parseSafetensors,
  readSafetensors,
  writeSafetensors,
} from '../../lib/checkpoint/safetensors.js';
import type { HostTensor } from '../../lib/engine/host-tensor.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const anyShape = fc.array(fc.nat(4), { maxLength: 4 });
const anyTensor: fc.Arbitrary<HostTensor> = anyShape.chain((shape) => {
  const length = shape.reduce((product, size) => product * size, 1);
  const exactly = { minLength: length, maxLength: length };
  return fc.oneof(
    fc.float32Array(exactly).map((data) => ({ shape, dtype: 'float32' as const, data })),
    fc.bigInt64Array(exactly).map((data) => ({ shape, dtype: 'int64' as const, data })),
  );
});
const anyTensors = fc
  .dictionary(fc.string({ unit: 'binary' }), anyTensor, { maxKeys: 6 })
  .map((tensors) => new Map(Object.entries(tensors)));

const EXAMPLE = new Map<string, HostTensor>([
  ['weight', { shape: [2, 3], dtype: 'float32', data: Float32Array.of(1, -2, 0.5, 1e-8, 65504, 0) }],
  ['bias', { shape: [2], dtype: 'float32', data: Float32Array.of(3, 4) }],
  ['steps', { shape: [], dtype: 'int64', data: BigInt64Array.of(-7n) }],
]);

describe('writeSafetensors and readSafetensors', () => {
  test('give back the same tensors, in bits', async () => {
    const path = join(temporaryFolder(), 'x.safetensors');
    await fc.assert(
      fc.asyncProperty(anyTensors, async (tensors) => {
        await writeSafetensors(path, tensors);
        const read = await readSafetensors(path);
        expect([...read.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, { shape, dtype, data }] of tensors) {
          expect(read.get(name)).toMatchObject({ shape, dtype });
          expect(bytesOf(read.get(name)!.data)).toEqual(bytesOf(data));
        }
        expect(parseSafetensors(readFileSync(path), path)).toEqual(read);
      }),
      { numRuns: 60 },
    );
  });

  test('write the same bytes whatever the order of the tensors', async () => {
    const folder = temporaryFolder();
    await writeSafetensors(join(folder, 'a'), EXAMPLE);
    await writeSafetensors(join(folder, 'b'), new Map([...EXAMPLE].reverse()));
    expect(readFileSync(join(folder, 'a'))).toEqual(readFileSync(join(folder, 'b')));
  });

  test('round floats to float16 and leave integers alone', async () => {
    const path = join(temporaryFolder(), 'half.safetensors');
    await writeSafetensors(path, EXAMPLE, { dtype: 'float16', metadata: { format: 'pt' } });
    const read = await readSafetensors(path);
    expect(read.get('weight')!.data).toEqual(
      float16ToFloat32(float32ToFloat16(EXAMPLE.get('weight')!.data as Float32Array)),
    );
    expect(read.get('steps')).toEqual(EXAMPLE.get('steps'));
  });

  test('align the buffer to 8 bytes and begin with the metadata', async () => {
    const path = join(temporaryFolder(), 'x.safetensors');
    await writeSafetensors(path, EXAMPLE, { metadata: { format: 'pt' } });
    const bytes = readFileSync(path);
    expect(bytes.readBigUInt64LE() % 8n).toBe(0n);
    for (const name of ['a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg', 'abcdefgh']) {
      await writeSafetensors(path, EXAMPLE, { metadata: { name } });
      const written = readFileSync(path);
      const header = written.subarray(8, 8 + Number(written.readBigUInt64LE())).toString();
      expect(header.length % 8).toBe(0);
      expect(header.length - header.trimEnd().length).toBeLessThan(8);
    }
    expect(bytes.subarray(8).toString()).toMatch(
      /^\{"__metadata__":\{"format":"pt"\},"steps":\{"dtype":"I64"/,
    );
  });

  test('keep the old file when a tensor cannot be written', async () => {
    const path = join(temporaryFolder(), 'x.safetensors');
    writeFileSync(path, 'old');
    const big = new Map<string, HostTensor>([
      ['big', { shape: [2], dtype: 'float32', data: Float32Array.of(1, -70000) }],
    ]);
    await expect(writeSafetensors(path, big, { dtype: 'float16' })).rejects.toThrow(
      `${path}: tensor "big" holds -70000, beyond float16's 65504; write float32 instead.`,
    );
    // The least number that rounds to infinity.
    const least = new Map<string, HostTensor>([
      ['least', { shape: [1], dtype: 'float32', data: Float32Array.of(65520) }],
    ]);
    await expect(writeSafetensors(path, least, { dtype: 'float16' })).rejects.toThrow('holds 65520');
    const misshapen = new Map<string, HostTensor>([
      ['w', { shape: [3], dtype: 'float32', data: Float32Array.of(1) }],
    ]);
    await expect(writeSafetensors(path, misshapen)).rejects.toThrow(
      'tensor "w" of shape [3] needs 3 values, but holds 1.',
    );
    await expect(writeSafetensors(path, new Map([['__metadata__', EXAMPLE.get('bias')!]]))).rejects.toThrow(
      'reserves this name',
    );
    await expect(writeSafetensors(path, new Map([['\ud800', EXAMPLE.get('bias')!]]))).rejects.toThrow(
      'not valid Unicode',
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test('deferred tensors are read one at a time, to the same bytes', async () => {
    const folder = temporaryFolder();
    const [whole, deferred] = ['whole', 'deferred'].map((name) => join(folder, name));
    const checksum = await writeSafetensors(whole, EXAMPLE);
    const order: string[] = [];
    const watched = new Map(
      [...(await openSafetensors(whole))].map(([name, tensor]) => [
        name,
        {
          ...tensor,
          async read() {
            order.push(`read ${name}`);
            const data = await tensor.read();
            order.push(`have ${name}`);
            return data;
          },
        },
      ]),
    );
    expect(order).toEqual([]);
    expect(await writeSafetensors(deferred, watched)).toBe(checksum);
    expect(readFileSync(deferred)).toEqual(readFileSync(whole));
    expect(order).toEqual(['steps', 'bias', 'weight'].flatMap((name) => [`read ${name}`, `have ${name}`]));
  });

  test('infinities are float16 values', async () => {
    const path = join(temporaryFolder(), 'x.safetensors');
    const tensor: HostTensor = { shape: [2], dtype: 'float32', data: Float32Array.of(Infinity, -Infinity) };
    await writeSafetensors(path, new Map([['mask', tensor]]), { dtype: 'float16' });
    expect((await readSafetensors(path)).get('mask')).toEqual(tensor);
  });

  test('name a file that is not there, or is a folder', async () => {
    const folder = temporaryFolder();
    await expect(readSafetensors(folder)).rejects.toThrow(`${folder} is not a file.`);
    await expect(readSafetensors('/nowhere/model.safetensors')).rejects.toThrow(
      '/nowhere/model.safetensors does not exist.',
    );
  });
});

describe('a damaged file', () => {
  /** What reading gives: the tensors, or the sentence of the error. */
  function attempt(bytes: Uint8Array): Map<string, HostTensor> | string {
    try {
      return parseSafetensors(bytes, 'damaged.safetensors');
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      return (error as Error).message;
    }
  }

  const anyPosition = fc.noBias(fc.nat());
  const anyDamage: fc.Arbitrary<(bytes: Buffer) => Buffer> = fc.oneof(
    fc
      .array(fc.tuple(anyPosition, fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((flips) => (bytes: Buffer) => {
        for (const [at, to] of flips) bytes[at % bytes.length] = to;
        return bytes;
      }),
    anyPosition.map((length) => (bytes: Buffer) => bytes.subarray(0, length % bytes.length)),
    fc
      .tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 3 }))
      .map(([at, inserted]) => (bytes: Buffer) => {
        const position = at % bytes.length;
        return Buffer.concat([bytes.subarray(0, position), inserted, bytes.subarray(position)]);
      }),
  );

  test('gives tensors that cover its buffer exactly, or a sentence that names it, soon', async () => {
    const path = join(temporaryFolder(), 'x.safetensors');
    const table: HostTensor = { shape: [200], dtype: 'float32', data: new Float32Array(200).fill(0.1) };
    await writeSafetensors(path, new Map([...EXAMPLE, ['table', table]]), { metadata: { format: 'pt' } });
    const whole = readFileSync(path);
    const outcomes = { read: 0, refused: 0 };
    const start = performance.now();
    fc.assert(
      fc.property(anyDamage, (damage) => {
        const bytes = damage(Buffer.from(whole));
        const result = attempt(bytes);
        if (typeof result === 'string') {
          expect(result).toMatch(/^damaged\.safetensors[: ].*\.$/s);
          outcomes.refused++;
        } else {
          const headerBytes = Number(bytes.readBigUInt64LE());
          const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString()) as Record<
            string,
            { data_offsets: number[] }
          >;
          const covered = [...result.keys()].map(
            (name) => header[name]!.data_offsets[1]! - header[name]!.data_offsets[0]!,
          );
          expect(covered.reduce((sum, size) => sum + size, 0)).toBe(bytes.length - 8 - headerBytes);
          outcomes.read++;
        }
      }),
      { numRuns: 3000 },
    );
    expect(outcomes.read).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(1000);
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  test('of which any tail is missing is refused', async () => {
    const path = join(temporaryFolder(), 'x.safetensors');
    await writeSafetensors(path, EXAMPLE);
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      expect(attempt(whole.subarray(0, length))).toMatch(/truncated|not a safetensors file/);
      writeFileSync(path, whole.subarray(0, length));
      await expect(readSafetensors(path)).rejects.toThrow(/truncated|not a safetensors file/);
    }
  });

  test('with a header of a million characters that open and never close is refused within a second', () => {
    const start = performance.now();
    for (const filler of ['"', '[', '{"a":', '{"a":"\\']) {
      const json = `{${filler.repeat(1_000_000 / filler.length)}`;
      const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(json)]);
      bytes.writeBigUInt64LE(BigInt(json.length));
      expect(attempt(bytes)).toContain('not valid JSON');
    }
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

const goldenModel = sharedPath('golden/bart/tiny_bart/model.safetensors');

describe.skipIf(!goldenModel)('a file of transformers', () => {
  test('is written back byte for byte', async () => {
    const path = join(temporaryFolder(), 'model.safetensors');
    await writeSafetensors(path, await readSafetensors(goldenModel!), { metadata: { format: 'pt' } });
    expect(readFileSync(path).equals(readFileSync(goldenModel!))).toBe(true);
  });
});

function bytesOf(data: Float32Array | BigInt64Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
