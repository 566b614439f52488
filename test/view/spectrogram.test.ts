import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { logMelSpectrogram, spectrogramPng } from '../../lib/view/spectrogram.js';
import { SAMPLE_RATE_HZ, tone } from './fixture-run.js';

/** Slaney's formula above 1 kHz, where 1 kHz is 15 mel; 80 bands lie between 0 and 8 kHz's 45.245 mel. */
const BAND_OF_1_KHZ = Math.round(15 / (45.245 / 81)) - 1;

describe('logMelSpectrogram', () => {
  it('puts a full-scale sine into its band at about 0 dB', () => {
    const { decibels, bands, frames, maxHz } = logMelSpectrogram(tone(1, 1), SAMPLE_RATE_HZ);
    expect({ bands, frames, maxHz }).toEqual({ bands: 80, frames: 101, maxHz: 8000 });
    const column = Array.from({ length: bands }, (_, band) => decibels[band * frames + 50]);
    expect(column.indexOf(Math.max(...column))).toBe(BAND_OF_1_KHZ);
    expect(Math.abs(column[BAND_OF_1_KHZ])).toBeLessThan(3);
    expect(column[70]).toBeLessThan(-60);
  });

  it('falls by 6.02 dB when the amplitude halves', () => {
    const at = (amplitude: number) => {
      const { decibels, frames } = logMelSpectrogram(tone(0.5, amplitude), SAMPLE_RATE_HZ);
      return decibels[BAND_OF_1_KHZ * frames + 20];
    };
    expect(at(0.8) - at(0.4)).toBeCloseTo(20 * Math.log10(2), 4);
  });

  it('gives a frame every 10 ms at any sample rate, up to half of it', () => {
    const { frames, maxHz } = logMelSpectrogram(new Float32Array(8000), 8000);
    expect({ frames, maxHz }).toEqual({ frames: 101, maxHz: 4000 });
  });
});

describe('spectrogramPng', () => {
  it('draws low bands at the bottom and silence black', () => {
    const png = Buffer.from(spectrogramPng(tone(1, 1), SAMPLE_RATE_HZ));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([101, 80]);
    const start = png.indexOf('IDAT') + 4;
    const rows = inflateSync(png.subarray(start, start + png.readUInt32BE(start - 8)));
    const pixel = (row: number, frame: number) => rows[row * 102 + 1 + frame];
    expect(pixel(79 - BAND_OF_1_KHZ, 50)).toBe(255);
    expect(pixel(0, 50)).toBe(0);
    const silence = Buffer.from(spectrogramPng(new Float32Array(160), SAMPLE_RATE_HZ));
    expect(silence.length).toBeGreaterThan(0);
  });

  it('draws a recording without samples', () => {
    expect(Buffer.from(spectrogramPng(new Float32Array(0), SAMPLE_RATE_HZ)).readUInt32BE(16)).toBe(1);
  });
});
