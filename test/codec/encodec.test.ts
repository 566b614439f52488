import { readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { codebooksForBandwidth, readEncodecConfig } from '../../lib/codec/encodec/config.js';
import type { EncodecOptions } from '../../lib/codec/encodec/checkpoint.js';
import { openEncodec } from '../../lib/codec/encodec/codec.js';
import { readSafetensors, writeSafetensors } from '../../lib/checkpoint/safetensors.js';
import { openCodec } from '../../lib/codec/open.js';
import { columnsOf } from '../../lib/codec/encodec/padding.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { device } from '../support/device.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/encodec/', import.meta.url));
const BANDWIDTH = { bandwidthKbps: 0.8 };

interface Case {
  samples: number[];
  codes: number[][];
  decoded: number[];
}

describe.each(['reflect', 'constant'])('the %s fixture: transformers', async (variant) => {
  const cases = JSON.parse(readFileSync(join(FIXTURES, `${variant}.json`), 'utf8')) as Case[];
  const codec = await openEncodec(join(FIXTURES, variant), device, BANDWIDTH);
  afterAll(() => codec.dispose());

  it('tells its rates and sizes', () => {
    expect(codec).toMatchObject({ sampleRateHz: 240, frameRateHz: 40, codebooks: 2, codebookSize: 64 });
  });

  it.each(cases.map((example) => [example.samples.length, example] as const))(
    '%i samples to codes and back',
    async (_, { samples, codes, decoded }) => {
      expect(await codec.encode(Float32Array.from(samples))).toEqual(codes);
      const actual = await codec.decode(codes);
      expect(actual).toHaveLength(decoded.length);
      const peak = Math.max(...decoded.map(Math.abs));
      decoded.forEach((value, i) => expect(Math.abs(actual[i] - value) / peak).toBeLessThan(1e-6));
    },
  );

  it('decodes from fewer codebooks, and nothing from nothing', async () => {
    const [codes] = cases.at(-1)!.codes;
    expect(await codec.decode([codes])).toHaveLength(6 * codes.length);
    expect(await codec.decode([[], []])).toEqual(new Float32Array(0));
    expect(await codec.encode(new Float32Array(0))).toEqual([[], []]);
  });

  it('refuses wrong codes', async () => {
    await expect(codec.decode([[64], [0]])).rejects.toThrow('Codebook 0 holds 64');
    await expect(codec.decode([[1], [0, 2]])).rejects.toThrow('all must have the same');
    await expect(codec.decode([[1], [1], [1]])).rejects.toThrow('2 codebooks; got codes for 3');
  });
});

it('uses as many codebooks as are asked for, without a word all that its largest bandwidth pays for', async () => {
  const samples = Float32Array.from({ length: 60 }, (_, i) => Math.sin(i / 3));
  const codesOf = async (options?: EncodecOptions) => {
    const codec = await openEncodec(join(FIXTURES, 'reflect'), device, options);
    const codes = await codec.encode(samples);
    expect(codes).toHaveLength(codec.codebooks);
    await codec.dispose();
    return codes;
  };
  const all = await codesOf(BANDWIDTH);
  expect(all).toHaveLength(2);
  expect(await codesOf()).toEqual(all);
  expect(await codesOf({ codebooks: 1 })).toEqual([all[0]]);
  expect(await codesOf({ codebooks: 9 })).toEqual(all);
});

it('two recordings at once do not disturb each other', async () => {
  const codec = await openEncodec(join(FIXTURES, 'reflect'), device, BANDWIDTH);
  const cases = JSON.parse(readFileSync(join(FIXTURES, 'reflect.json'), 'utf8')) as Case[];
  const both = await Promise.all(
    cases.slice(-2).map(({ samples }) => codec.encode(Float32Array.from(samples))),
  );
  await codec.dispose();
  expect(both).toEqual(cases.slice(-2).map(({ codes }) => codes));
});

it('openCodec opens what config.json says, and nothing else', async () => {
  const codec = await openCodec(
    fileURLToPath(new URL('../../models/default/codec', import.meta.url)),
    device,
  );
  expect(codec.sampleRateHz).toBe(16_000);
  await codec.dispose();
  const policy = fileURLToPath(new URL('../../models/default/policy', import.meta.url));
  await expect(openCodec(policy, device)).rejects.toThrow(
    'must be "spectral-codec" or "encodec", found "bart"',
  );
  const encodec = await openCodec(join(FIXTURES, 'reflect'), device, { codebooks: 1 });
  expect(encodec).toMatchObject({ codebooks: 1, codebookSize: 64 });
  await encodec.dispose();
});

describe('the configuration', () => {
  const changed = async (changes: object): Promise<string> => {
    const folder = temporaryFolder();
    await cp(join(FIXTURES, 'reflect'), folder, { recursive: true });
    const file = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...config, ...changes }));
    return folder;
  };

  it.each([
    [{ model_type: 'bart' }, 'is not of an EnCodec like facebook/encodec_24khz: model_type'],
    [{ audio_channels: 2 }, 'audio_channels'],
    [{ norm_type: 'time_group_norm' }, 'norm_type'],
    [{ num_filters: 4 }, '"encoder.layers.0.conv.weight_g" must be float [4, 1, 1], found float32 [2, 1, 1]'],
    [{ target_bandwidths: [1.5] }, 'no bandwidth of 0.8 kbit/s; choose one of 1.5'],
    [{ codebook_dim: 3 }, 'codebook_dim 3 must equal hidden_size 4'],
  ])('%j is refused', async (changes, message) => {
    await expect(openEncodec(await changed(changes), device, BANDWIDTH)).rejects.toThrow(message);
  });

  it('has as many codebooks as its bandwidth pays for', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'config.json'), '{"model_type":"encodec"}');
    const config = await readEncodecConfig(folder);
    const counts = config.target_bandwidths.map((bandwidth) =>
      codebooksForBandwidth(config, bandwidth, 32, 'it'),
    );
    expect(counts).toEqual([2, 4, 8, 16, 32]);
    // As transformers' get_num_quantizers_for_bandwidth: at least one, which takes 0.75 kbit/s.
    expect(codebooksForBandwidth({ ...config, target_bandwidths: [0.5, 6] }, 0.5, 8, 'it')).toBe(1);
  });

  // transformers 4.57.6 and 5.24.0: 6000 / (75 * bits); 4.44.2: 6000 / (75 * 10).
  it.each([
    [64, 13, 13],
    [64, 8, 8],
    [256, 10, 10],
    [256, 8, 8],
    [1024, 8, 8],
    [1024, 32, 8],
    [4096, 6, 6],
    [4096, 8, 6],
  ])('of %i codes at 6 kbit/s, where the weights have %i: %i', async (size, layers, expected) => {
    const folder = temporaryFolder();
    const content = { model_type: 'encodec', codebook_size: size, target_bandwidths: [6] };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(content));
    const config = await readEncodecConfig(folder);
    expect(codebooksForBandwidth(config, 6, layers, 'it')).toBe(expected);
    for (const fewer of [0, expected - 3]) {
      expect(() => codebooksForBandwidth(config, 6, fewer, 'it')).toThrow(
        new RegExp(`^it: 6 kbit/s takes \\d+ codebooks of ${size}, but the weights hold ${fewer}\\.$`),
      );
    }
  });

  it.each([
    [3, 'codes in 3 rows'],
    [1, 'takes 3 codebooks of 64, but the weights hold 1.'],
  ])('has the codebooks that are in the weights: %i', async (count, outcome) => {
    const folder = await changed({});
    const file = join(folder, 'model.safetensors');
    const tensors = await readSafetensors(file);
    const codebook = (index: number) => `quantizer.layers.${index}.codebook.embed`;
    if (count > 2) tensors.set(codebook(2), tensors.get(codebook(1))!);
    else tensors.delete(codebook(1));
    await writeSafetensors(file, tensors);
    if (count === 1) return expect(openEncodec(folder, device, BANDWIDTH)).rejects.toThrow(outcome);
    const codec = await openEncodec(folder, device, BANDWIDTH);
    const { samples, codes } = (
      JSON.parse(readFileSync(join(FIXTURES, 'reflect.json'), 'utf8')) as Case[]
    ).at(-1)!;
    const written = await codec.encode(Float32Array.from(samples));
    expect(written.slice(0, 2)).toEqual(codes);
    expect(written).toHaveLength(3);
    expect(await codec.decode(written)).toHaveLength(6 * codes[0].length);
    await codec.dispose();
  });
});

it('what is too short to be mirrored gets zeros at its end first, as in transformers', () => {
  const layer = { kind: 'conv', name: '', inputs: 1, outputs: 1, kernel: 16, stride: 8, dilation: 1, inputsPerFrame: 8 } as const; // prettier-ignore
  // Of a, b, c and six zeros the 8 before the first are six zeros, c, b; the five after c are zeros too.
  const [a, b, c] = [9, 10, 11];
  const before = [0, 0, 0, 0, 0, 0, c, b];
  const columns = columnsOf(layer, 'reflect', { firstFrame: 0, frames: 1 }, 3);
  expect([...columns]).toEqual([...before, a, b, c, 0, 0, 0, 0, 0]);
});

it('a convolution only reads columns there are, whatever the sizes', () => {
  const sizes = fc.record({
    kernel: fc.integer({ min: 1, max: 9 }),
    stride: fc.integer({ min: 1, max: 4 }),
    length: fc.integer({ min: 1, max: 200 }),
    firstPiece: fc.nat(3),
  });
  fc.assert(
    fc.property(sizes, ({ kernel, stride, length, firstPiece }) => {
      // EnCodec's convolutions with a stride see at least twice as far as they step.
      fc.pre(stride === 1 || kernel >= 2 * stride);
      const frames = 12;
      const layer = { kind: 'conv', name: '', inputs: 1, outputs: 1, kernel, stride, dilation: 1, inputsPerFrame: stride } as const; // prettier-ignore
      const piece = { firstFrame: firstPiece * frames, frames };
      fc.pre(piece.firstFrame * stride < length);
      const columns = columnsOf(layer, 'reflect', piece, length);
      const back = kernel - stride;
      for (const column of columns) {
        expect(column).toBeGreaterThanOrEqual(0);
        expect(column).toBeLessThan(1 + back + frames * stride);
      }
      expect(columns).toHaveLength(back + (stride > 1 ? frames * stride : 0));
    }),
  );
});
