import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeWav, parseWav, readWav, toMono } from '../../lib/audio/wav.js';
import { measureLevel } from '../../lib/scoring/silence.js';
import { sharedPath } from '../support/shared.js';
import { wavFile, type WavOptions } from '../support/wav-file.js';

const NUMBERS = Array.from({ length: 60 }, (_, i) => Math.round(500_000 * Math.sin(i / 7)));

/** Whole numbers as PCM, each shifted up to the end of its bytes. */
function pcm(numbers: readonly number[], bytes: number, bits: number, big = false): Uint8Array {
  const sound = Buffer.alloc(numbers.length * bytes);
  const unsigned = bytes === 1 ? 128 : 0;
  numbers.forEach((value, i) => {
    const shifted = value * 2 ** (8 * bytes - bits) + unsigned;
    if (unsigned) sound.writeUInt8(shifted, i);
    else if (big) sound.writeIntBE(shifted, i * bytes, bytes);
    else sound.writeIntLE(shifted, i * bytes, bytes);
  });
  return sound;
}

const read = (bytes: Uint8Array) => Array.from(toMono(parseWav(bytes, 'x.wav')));
const scaled = (numbers: readonly number[], bits: number) =>
  numbers.map((value) => Math.fround(value / 2 ** (bits - 1)));

describe('bits and bytes of a sample', () => {
  it('reads any number of bits in any bytes that hold them, alike in every kind of file', () => {
    const kinds = fc.constantFrom('RIFF' as const, 'RIFX' as const, 'RF64' as const, 'BW64' as const);
    const depths = fc
      .constantFrom(8, 12, 16, 20, 24, 32)
      .chain((bits) =>
        fc.tuple(
          fc.constant(bits),
          bits === 8 || bits === 32
            ? fc.constant(bits / 8)
            : fc.integer({ min: Math.ceil(bits / 8), max: 4 }),
        ),
      );
    const property = fc.property(
      kinds,
      depths,
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.array(fc.double({ min: -1, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 20 }),
      (kind, [bits, bytes], channels, extensible, values) => {
        const numbers = values.map((value) => Math.floor(value * 2 ** (bits - 1)) + 0);
        const frames = numbers.flatMap((value) => Array.from({ length: channels }, () => value));
        const file = wavFile(pcm(frames, bytes, bits, kind === 'RIFX'), {
          kind,
          bits,
          channels,
          sampleBytes: bytes,
          validBits: extensible ? bits : undefined,
        });
        const { channels: found } = parseWav(file, 'x.wav');
        expect(found).toHaveLength(channels);
        for (const samples of found) expect(Array.from(samples)).toEqual(scaled(numbers, bits));
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it('reads the lower end of a wider sample too, as other programs do', () => {
    const low = wavFile(pcm(NUMBERS, 4, 32), { bits: 24, sampleBytes: 4 });
    expect(read(low)).toEqual(scaled(NUMBERS, 32));
  });

  it.each([0, 1, 2, 3, 4, 5, 8])('reads 16 bits in spite of a wrong frame of %d bytes', (frameBytes) => {
    const numbers = NUMBERS.map((value) => value >> 4);
    for (const bytesPerSecond of [16_000, undefined]) {
      const file = wavFile(pcm(numbers, 2, 16), { frameBytes, bytesPerSecond });
      expect(read(file)).toEqual(scaled(numbers, 16));
    }
  });

  it.each([8, 32])('reads %d bits in spite of a frame too large', (bits) => {
    const numbers = NUMBERS.map((value) => value >> (bits === 8 ? 12 : 0));
    const file = wavFile(pcm(numbers, bits / 8, bits), { bits, frameBytes: bits / 4 });
    expect(read(file)).toEqual(scaled(numbers, bits));
  });

  it('reads 16 bits of which every other sample is 0 where the bytes a second tell that the frame is wrong', () => {
    const numbers = NUMBERS.map((value, i) => (i % 2 === 0 ? 0 : value >> 4));
    const file = wavFile(pcm(numbers, 2, 16), { frameBytes: 4, bytesPerSecond: 16_000 });
    expect(read(file)).toEqual(scaled(numbers, 16));
  });

  it.each([0, 1, 2, 3])('reads 24 bits in spite of a frame too small, %d bytes', (frameBytes) => {
    expect(read(wavFile(pcm(NUMBERS, 3, 24), { bits: 24, frameBytes }))).toEqual(scaled(NUMBERS, 24));
  });

  it('reads 24 bits in 4 bytes where the bytes a second are wrong', () => {
    const file = wavFile(pcm(NUMBERS, 4, 24), { bits: 24, sampleBytes: 4, bytesPerSecond: 24_000 });
    expect(read(file)).toEqual(scaled(NUMBERS, 24));
  });

  it.each([
    ['bytes a second', { bits: 24, frameBytes: 4, bytesPerSecond: 24_000 }],
    ['any sample', { bits: 24, frameBytes: 7 }],
  ])('refuses 24 bits in bytes that contradict %s, and says what would help', (_, options: WavOptions) => {
    expect(() => read(wavFile(pcm(NUMBERS, 3, 24), options))).toThrow(
      /x\.wav: says that its frames of 1 times 24 bits have [47] bytes.*ffmpeg -i "x.wav" -c:a pcm_s16le out\.wav/,
    );
  });

  it.each([
    [{ tag: 1, bits: 40 }, 'codec 1 with 40 bits'],
    [{ tag: 3, bits: 16 }, 'codec 3 with 16 bits'],
    [{ tag: 7, bits: 4 }, 'codec 7 with 4 bits'],
    [{ tag: 0x55, bits: 0 }, 'codec 85 with 0 bits'],
  ])('refuses %o, and says what would help', (options, message) => {
    const parse = () => read(wavFile(new Uint8Array(80), options));
    expect(parse).toThrow(message);
    expect(parse).toThrow('ffmpeg -i "x.wav" -c:a pcm_s16le out.wav');
  });
});

const SAMPLES = NUMBERS.map((value) => value >> 4);
const SOUND = pcm(SAMPLES, 2, 16);
const EXPECTED = scaled(SAMPLES, 16);
const LIST = Buffer.from('LIST\x04\0\0\0INFO', 'latin1');

describe('lengths', () => {
  const unknown = [0x7fff0000, 0x7fffefdc, 0x7ffff000, 0x7fffffdb, 0x7fffffff, 0x80000000, 0x80000024, 0xffffffdb, 0xffffffff]; // prettier-ignore
  it.each(unknown)('reads all there is where a stream says %i', (soundLength) => {
    for (const fileLength of [soundLength, Math.min(0xffffffff, soundLength + 36), 0])
      expect(read(wavFile(SOUND, { soundLength, fileLength }))).toEqual(EXPECTED);
  });

  it('leaves out what is no whole frame at the end, of a stream or not', () => {
    const odd = Buffer.concat([SOUND, Buffer.from([7])]);
    expect(read(wavFile(odd))).toEqual(EXPECTED);
    expect(read(wavFile(odd, { soundLength: 0xffffffff }).subarray(0, -1))).toEqual(EXPECTED);
    const threeBytes = wavFile(SOUND, { bits: 24, channels: 1 });
    expect(read(threeBytes)).toHaveLength(Math.floor(SOUND.length / 3));
  });

  it.each([0, 8, 36, 0xffffffff])('reads a stream of length 0 in a file of length %i', (fileLength) => {
    expect(read(wavFile(SOUND, { soundLength: 0, fileLength }))).toEqual(EXPECTED);
    // Zeros could be parts without a name.
    expect(read(wavFile(new Uint8Array(80), { soundLength: 0, fileLength }))).toHaveLength(40);
  });

  it('says so where a length of 0 contradicts the length of the file', () => {
    expect(() => read(wavFile(SOUND, { soundLength: 0 }))).toThrow(
      'x.wav: its "data" part should hold 0 bytes, but 120 bytes follow it that are no other part',
    );
  });

  it('reads a file without sound, other parts after it or not', () => {
    expect(read(wavFile(new Uint8Array(0)))).toEqual([]);
    expect(read(wavFile(new Uint8Array(0), { after: LIST }))).toEqual([]);
    expect(read(wavFile(new Uint8Array(0), { after: LIST, fileLength: 8 }))).toEqual([]);
  });

  it('reads a length that is too large in a file that is whole by its own account', () => {
    expect(read(wavFile(SOUND, { soundLength: SOUND.length + 36 }))).toEqual(EXPECTED);
  });

  it('refuses what is cut short', () => {
    const size = 100_000;
    for (const kind of ['RIFF', 'RIFX', 'RF64', 'BW64'] as const) {
      const file = wavFile(SOUND, { kind, soundLength: size, fileLength: size + 36 });
      expect(() => read(file)).toThrow('truncated: its "data" part should hold 100000 bytes, 120 are there');
    }
    const long = wavFile(SOUND, { kind: 'RF64', soundLength: 5_000_000_000, fileLength: 5_000_000_072 });
    expect(() => read(long)).toThrow('truncated: its "data" part should hold 5000000000 bytes, 120');
  });

  it('reads RF64 by the length of the part itself where that has one', () => {
    const file = wavFile(SOUND, { kind: 'RF64', soundLength: 2, after: LIST });
    new DataView(file.buffer).setUint32(Buffer.from(file).indexOf('data') + 4, SOUND.length, true);
    expect(read(file)).toEqual(EXPECTED);
  });

  it('reads RF64 out of a pipe', () => {
    for (const unknownLength of [0, 2n ** 64n - 1n])
      expect(
        read(wavFile(SOUND, { kind: 'RF64', soundLength: unknownLength, fileLength: unknownLength })),
      ).toEqual(EXPECTED);
  });
});

const TAG = Buffer.concat([Buffer.from('ID3\x03\0\0\0\0\x01\x02', 'latin1'), Buffer.alloc(130)]);

describe('what is before the sound, or in its place', () => {
  it('reads what follows an ID3 tag', () => {
    expect(read(Buffer.concat([TAG, wavFile(SOUND)]))).toEqual(EXPECTED);
    const withFooter = Buffer.concat([TAG, Buffer.alloc(10), wavFile(SOUND)]);
    withFooter[5] = 0x10;
    expect(read(withFooter)).toEqual(EXPECTED);
  });

  it.each([
    ['FLAC', 'fLaC\0\0\0\x22'],
    ['Ogg', 'OggS\0\x02'],
    ['AIFF', 'FORM\0\0\0\0AIFFCOMM'],
    ['AIFF', 'FORM\0\0\0\0AIFCFVER'],
    ['Wave64 (W64)', 'riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb'],
    ['MP3', '\xff\xfb\x90\x64'],
    ['MP3', `${TAG.toString('latin1')}\xff\xfb\x90\x64`],
    ['MP3', 'ID3\x04\0\0\0\0\x7f\x7f'],
    ['FLAC', `${TAG.toString('latin1')}fLaC`],
    ['AAC', '\xff\xf1\x50\x80'],
    ['MP4 (M4A)', '\0\0\0\x20ftypM4A '],
    ['Matroska (WebM)', '\x1aE\xdf\xa3'],
    ['CAF', 'caff\0\x01'],
    ['AU', '.snd\0\0\0\x18'],
  ])('calls %s by its name and says what would help', (format, start) => {
    expect(() => read(Buffer.from(start, 'latin1'))).toThrow(
      `x.wav: not a WAV file but ${format}; convert it with: ffmpeg -i "x.wav" -c:a pcm_s16le out.wav`,
    );
  });

  it('calls a Git LFS pointer and a web page by their names', () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';
    expect(() => read(Buffer.from(pointer))).toThrow('x.wav is a Git LFS pointer, not the file');
    expect(() => read(Buffer.from('<!DOCTYPE html>\n<html>'))).toThrow('x.wav is a web page (HTML)');
  });
});

describe('samples that are no finite number', () => {
  it.each([NaN, Infinity, -Infinity])('refuses %d', (value) => {
    for (const [bits, Floats] of [
      [32, Float32Array],
      [64, Float64Array],
    ] as const) {
      // prettier-ignore
      const sound = new Uint8Array(Floats.from([0, 0.5, value, 0]).buffer);
      for (const channels of [1, 2])
        expect(() => read(wavFile(sound, { tag: 3, bits, channels }))).toThrow(
          'x.wav: it holds a sample that is not a finite number',
        );
    }
  });

  it('refuses a number that only 64 bits can hold', () => {
    const sound = new Uint8Array(Float64Array.from([1e300]).buffer);
    expect(() => read(wavFile(sound, { tag: 3, bits: 64 }))).toThrow('is not a finite number');
  });
});

const streamed = sharedPath('cases/wav-streamed-lengths');
const wide = sharedPath('cases/wav-24-bits-in-4-bytes');
describe.skipIf(!streamed || !wide)('files of other programs', () => {
  const levelOf = async (file: string) => {
    const recording = await readWav(file);
    const samples = toMono(recording);
    return [samples.length, measureLevel(samples, recording.sampleRateHz).levelDb] as const;
  };

  it.each([
    'FFFFFFFF-odd-tail',
    'data-odd',
    'size-7FFFF000',
    'size-80000000',
    'size-FFFFFFDB',
    'size-plus36',
    'size0-riff8',
    'size0',
    'size7FFFFFFF',
    'sizeFFFFFFFF',
    'sox-pipe',
  ])('reads %s', async (name) => {
    // prettier-ignore
    const [count, level] = await levelOf(`${streamed}/${name}.wav`);
    expect(count).toBe(9600);
    expect(level).toBeCloseTo(-15.561, 3);
  });

  it('reads 24 bits in 4 bytes', async () => {
    const [count, level] = await levelOf(`${wide}/24in32-left.wav`);
    expect(count).toBe(9600);
    expect(level).toBeCloseTo(-15.56, 3);
  });
});

it('reads what it writes', () => {
  fc.assert(
    fc.property(fc.float32Array({ min: -1, max: 1, noNaN: true, maxLength: 50 }), (samples) => {
      const [found] = parseWav(encodeWav(samples, 16_000), 'x.wav').channels;
      expect(found).toHaveLength(samples.length);
      for (const [i, value] of samples.entries())
        expect(Math.abs(found[i] - value)).toBeLessThanOrEqual(1 / 32768);
    }),
    { numRuns: 100 },
  );
});

it('refuses sound in several "data" parts, of which it would read the first', () => {
  const second = Buffer.concat([Buffer.from('data'), Buffer.from([4, 0, 0, 0]), Buffer.alloc(4)]);
  const other = Buffer.concat([Buffer.from('LIST'), Buffer.from([3, 0, 0, 0]), Buffer.alloc(4)]);
  const sound = new Uint8Array(20);
  expect(() => read(wavFile(sound, { after: Buffer.concat([other, second]) }))).toThrow(
    'x.wav: its sound is in several "data" parts, of which all but the first would be lost; ffmpeg -i "x.wav" -c:a pcm_s16le out.wav makes one of them',
  );
  expect(read(wavFile(sound, { after: other }))).toHaveLength(10);
  const unpadded = Buffer.concat([wavFile(new Uint8Array(21), {}).subarray(0, -1), second]);
  expect(() => read(unpadded)).toThrow('several "data" parts');
});
