import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WaveFile } from 'wavefile';
import { encodeWav, parseWav, readWav, toMono, writeWav } from '../../lib/audio/wav.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const SINE = Array.from({ length: 400 }, (_, i) => 0.8 * Math.sin(i / 7));

/** A WAV written by the npm package wavefile, the reference here. */
function writtenByWavefile(bitDepth: string, sampleRateHz = 8000, channels = [SINE]): Uint8Array {
  const wav = new WaveFile();
  if (bitDepth === 'mu-law' || bitDepth === 'a-law') {
    wav.fromScratch(
      channels.length,
      sampleRateHz,
      '16',
      channels.map((x) => x.map((v) => Math.round(v * 32767))),
    );
    if (bitDepth === 'mu-law') wav.toMuLaw();
    else wav.toALaw();
  } else {
    wav.fromScratch(channels.length, sampleRateHz, '64', channels);
    if (bitDepth !== '64') wav.toBitDepth(bitDepth);
  }
  return wav.toBuffer();
}

describe('parseWav', () => {
  it.each([
    ['8', 2 / 128],
    ['16', 2 / 2 ** 15],
    ['24', 2 / 2 ** 23],
    ['32', 2 ** -24],
    ['32f', 2 ** -24],
    ['64', 2 ** -24],
    ['mu-law', 0.03],
    ['a-law', 0.03],
  ])('reads %s', (bitDepth, tolerance) => {
    const { channels, sampleRateHz } = parseWav(writtenByWavefile(bitDepth), 'x.wav');
    expect(sampleRateHz).toBe(8000);
    expect(channels).toHaveLength(1);
    expect(channels[0]).toHaveLength(SINE.length);
    const error = Math.max(...SINE.map((value, i) => Math.abs(value - channels[0][i])));
    expect(error).toBeLessThanOrEqual(tolerance);
  });

  it.each(['mu-law', 'a-law'])('decodes every %s byte as wavefile does', (law) => {
    const bytes = writtenByWavefile(law, 8000, [Array.from({ length: 256 }, () => 0)]);
    const dataAt = Buffer.from(bytes).indexOf('data') + 8;
    for (let byte = 0; byte < 256; byte++) bytes[dataAt + byte] = byte;
    const reference = new WaveFile(bytes);
    if (law === 'mu-law') reference.fromMuLaw();
    else reference.fromALaw();
    const expected = Array.from(reference.getSamples() as Float64Array, (value) => value / 32768);
    expect(Array.from(parseWav(bytes, 'x.wav').channels[0], (value) => value + 0)).toEqual(expected);
  });

  it('keeps channels apart and any rate', () => {
    const half = SINE.map((value) => value / 2);
    const { channels, sampleRateHz } = parseWav(writtenByWavefile('32f', 44100, [SINE, half, SINE]), 'x.wav');
    expect(sampleRateHz).toBe(44100);
    expect(channels.map((channel) => channel[11])).toEqual([SINE[11], half[11], SINE[11]].map(Math.fround));
  });

  it('reads a stream whose length was never filled in', () => {
    const bytes = encodeWav(Float32Array.from(SINE), 8000);
    new DataView(bytes.buffer).setUint32(40, 0xffffffff, true);
    expect(parseWav(bytes, 'x.wav').channels[0]).toHaveLength(SINE.length);
  });

  const good = encodeWav(Float32Array.from(SINE), 8000);
  const changed = (offset: number, value: number) => {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint16(offset, value, true);
    return bytes;
  };
  const rated = (sampleRateHz: number) => {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint32(24, sampleRateHz, true);
    return bytes;
  };
  const loud = (peak: number) => writtenByWavefile('32f', 8000, [[0, peak, 0]]);

  it.each([1000, 768_000])('reads a sample rate of %d Hz', (sampleRateHz) => {
    expect(parseWav(rated(sampleRateHz), 'x.wav').sampleRateHz).toBe(sampleRateHz);
  });

  it.each([1.5, -16])('reads floats that peak at %d', (peak) => {
    expect(parseWav(loud(peak), 'x.wav').channels).toEqual([Float32Array.of(0, peak, 0)]);
  });

  it.each([
    ['an empty file', new Uint8Array(0), 'the file is empty'],
    ['text', new TextEncoder().encode('hello, this is no sound at all'), 'not a WAV file'],
    ['a header alone', good.slice(0, 36), 'no sound data'],
    ['a cut file', good.slice(0, 500), 'truncated: its "data" part should hold 800 bytes, 456 are there'],
    ['an unknown codec', changed(20, 0x55), 'cannot read WAV codec 85'],
    ['an extensible format without its end', changed(20, 0xfffe), 'cannot read WAV codec 65534'],
    ['a format cut short', changed(16, 14), 'its "fmt " part has 14 bytes; at least 16 are needed'],
    ['too many bits', changed(34, 40), 'with 40 bits'],
    ['no channels', changed(22, 0), '0 channels'],
    ['a sample rate of 0 Hz', rated(0), 'says it has a sample rate of 0 Hz'],
    ['a sample rate that would make hours of seconds', rated(999), 'recordings have 1000 to 768000 Hz'],
    ['a sample rate that nothing has', rated(768_001), 'says it has a sample rate of 768001 Hz'],
    ['floats on the scale of 16 bits', loud(32767), 'its samples reach 32770, and full scale is 1'],
    ['floats that are no sound', loud(-1e30), 'its samples reach 1e+30'],
    ['too many channels', changed(23, 0xff), 'channels; at most 1024 are read'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseWav(bytes, 'some.wav')).toThrow(`some.wav: `);
    expect(() => parseWav(bytes, 'some.wav')).toThrow(message);
  });

  it('answers or explains, whatever the bytes', () => {
    const source = writtenByWavefile('16', 8000, [SINE.slice(0, 60), SINE.slice(0, 60)]);
    const change = fc.tuple(fc.nat(source.length - 1), fc.nat(255));
    const length = fc.oneof(fc.constant(source.length), fc.nat(source.length));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), length, (changes, kept) => {
        const bytes = source.slice();
        for (const [offset, value] of changes) bytes[offset] = value;
        let message = 'some.wav: ';
        try {
          parseWav(bytes.subarray(0, kept), 'some.wav');
        } catch (error) {
          message = (error as Error).message;
        }
        return message.startsWith('some.wav: ');
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('encodeWav', () => {
  it('writes what wavefile reads', () => {
    const wav = new WaveFile(encodeWav(Float32Array.from([0, 0.5, -0.5, 1, -1, 2, -2, NaN]), 16000));
    expect(wav.fmt).toMatchObject({ sampleRate: 16000, bitsPerSample: 16, numChannels: 1, audioFormat: 1 });
    expect(Array.from(wav.getSamples() as Float64Array)).toEqual([
      0, 16384, -16384, 32767, -32768, 32767, -32768, 0,
    ]);
  });

  it('rounds to the nearest of the 16-bit values', () => {
    const steps = [0.4, 0.6, -0.4, -0.6, 1000.7, -1000.7];
    const wav = new WaveFile(encodeWav(Float32Array.from(steps, (step) => step / 32768), 16000)); // prettier-ignore
    expect(Array.from(wav.getSamples() as Float64Array)).toEqual([0, 1, 0, -1, 1001, -1001]);
  });

  it('refuses a rate that is none', () => {
    expect(() => encodeWav(new Float32Array(1), 0)).toThrow('sample rate of 0');
  });

  it('round-trips through a file', async () => {
    const folder = temporaryFolder();
    await writeWav(join(folder, 'a.wav'), Float32Array.from([0.25, -0.25]), 22050);
    expect(await readWav(join(folder, 'a.wav'))).toEqual({
      channels: [Float32Array.from([0.25, -0.25])],
      sampleRateHz: 22050,
    });
  });
});

describe('toMono', () => {
  it('takes the mean', () => {
    const channels = [Float32Array.from([1, 0]), Float32Array.from([0, 0.5])];
    expect(Array.from(toMono({ channels, sampleRateHz: 8000 }))).toEqual([0.5, 0.25]);
    expect(toMono({ channels: channels.slice(1), sampleRateHz: 8000 })).toBe(channels[1]);
    expect(() => toMono({ channels: [], sampleRateHz: 8000 })).toThrow('A recording without channels');
    channels.push(Float32Array.from([-1, 1]), Float32Array.from([0, 0.5]));
    expect(Array.from(toMono({ channels, sampleRateHz: 8000 }))).toEqual([0, 0.5]);
  });
});
