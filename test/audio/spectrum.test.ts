import { describe, expect, it } from 'vitest';
import { createRealFft } from '../../lib/audio/fft.js';
import { applyMel, melFilterBank, type MelOptions } from '../../lib/audio/mel.js';
import { hannWindow, stft, stftFrameCount } from '../../lib/audio/stft.js';
import { directTransform } from '../support/direct-transform.js';

/** librosa.filters.mel(sr=8000, n_fft=64, n_mels=4, ...) of librosa 0.11.0: the first two rows, bins 0 to 6. */
const LIBROSA_MEL: [string, Partial<MelOptions>, number[][]][] = [
  [
    'Slaney',
    {},
    [
      [0, 0.000568646, 0.001137292, 0.001705938, 0.001991172, 0.001422526, 0.00085388],
      [0, 0, 0, 0, 0.00012631, 0.000633175, 0.00114004],
    ],
  ],
  [
    'HTK, height 1',
    { scale: 'htk', norm: 'none' },
    [
      [0, 0.385247111, 0.770494223, 0.893584728, 0.630352318, 0.367119849, 0.103887409],
      [0, 0, 0, 0.106415249, 0.369647712, 0.632880151, 0.896112621],
    ],
  ],
  [
    'HTK, area 1',
    { scale: 'htk' },
    [
      [0, 0.000963922, 0.001927844, 0.002235827, 0.001577197, 0.000918566, 0.000259935],
      [0, 0, 0, 0.000181931, 0.000631961, 0.001081992, 0.001532022],
    ],
  ],
  [
    '200 to 5000 Hz',
    { minHz: 200, maxHz: 5000 },
    [
      [0, 0, 0.000220542, 0.000771898, 0.001323253, 0.001874609, 0.001750338],
      [0, 0, 0, 0, 0, 0, 0.000262291],
    ],
  ],
];

const signalOf = (length: number) =>
  Float64Array.from({ length }, (_, i) => Math.sin(i * 1.7) + ((i * 7919) % 13) / 13);

describe('createRealFft', () => {
  it.each([4, 8, 16, 128, 512, 4096])('agrees with the sum that defines it, size %i', (size) => {
    const signal = signalOf(size);
    const spectrum = createRealFft(size).forward(signal.slice());
    const expected = directTransform(signal);
    expect(spectrum).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(Math.abs(spectrum[i] - value)).toBeLessThan(1e-9));
  });

  it.each([4, 8, 512, 1024])('inverts, size %i', (size) => {
    const fft = createRealFft(size);
    const signal = signalOf(size);
    const back = fft.inverse(fft.forward(signal.slice()).slice());
    signal.forEach((value, i) => expect(Math.abs(back[i] - value)).toBeLessThan(1e-12));
  });

  it.each([0, 1, 2, 2.5, 3, 640])('refuses size %d', (size) => {
    expect(() => createRealFft(size)).toThrow('whole size of at least 4');
  });
});

describe('stft', () => {
  const options = { fftSize: 8, hopSize: 3, window: hannWindow(6), padding: 'reflect' } as const;

  it('centres and reflects as numpy.pad does, over and over on short signals', () => {
    const signal = Float64Array.from([1, 2, 4]);
    // numpy.pad([1, 2, 4], 4, "reflect")
    const padded = [1, 2, 4, 2, 1, 2, 4, 2, 1, 2, 4];
    const window = [0, ...hannWindow(6), 0];
    const frames = Array.from(stft(signal, options), (frame) => frame.slice());
    expect(frames).toHaveLength(2);
    frames.forEach((frame, t) => {
      const expected = directTransform(Float64Array.from(window, (weight, i) => weight * padded[3 * t + i]));
      expected.forEach((value, i) => expect(Math.abs(frame[i] - value)).toBeLessThan(1e-12));
    });
  });

  it('takes a single sample for its own mirror, as numpy.pad does', () => {
    // numpy.pad([3], 4, "reflect")
    const expected = directTransform(Float64Array.from([0, ...hannWindow(6), 0], (weight) => 3 * weight));
    const [frame] = Array.from(stft(Float64Array.of(3), options), (each) => each.slice());
    expected.forEach((value, i) => expect(Math.abs(frame[i] - value)).toBeLessThan(1e-12));
  });

  it.each([
    ['reflect', 20, 7],
    ['zero', 20, 7],
    ['none', 20, 5],
    ['none', 7, 0],
  ] as const)('counts frames with padding %s of %i samples', (padding, length, count) => {
    const frames = [...stft(signalOf(length), { ...options, padding })];
    expect(frames).toHaveLength(count);
    expect(stftFrameCount(length, { ...options, padding })).toBe(count);
  });

  it('explains what cannot be', () => {
    expect(() => [...stft(new Float64Array(0), options)]).toThrow('nothing to reflect');
    expect(() => [...stft(signalOf(9), { ...options, window: hannWindow(9) })]).toThrow('does not fit');
  });
});

describe('melFilterBank', () => {
  it.each(LIBROSA_MEL)('has librosa weights: %s', (_, options, expected) => {
    const filters = melFilterBank({ sampleRateHz: 8000, fftSize: 64, bands: 4, ...options });
    const dense = filters
      .slice(0, 2)
      .map(({ firstBin, weights }) => Array.from({ length: 7 }, (__, bin) => weights[bin - firstBin] ?? 0));
    expected.forEach((row, band) =>
      row.forEach((value, bin) => expect(dense[band][bin]).toBeCloseTo(value, 8)),
    );
  });

  it('leaves bands above half the sample rate empty', () => {
    const filters = melFilterBank({ sampleRateHz: 8000, fftSize: 4096, bands: 48, maxHz: 20000 });
    const out = new Float64Array(48);
    applyMel(filters, new Float64Array(2049).fill(1), out);
    expect(out.filter((value) => value === 0)).toHaveLength(18);
  });
});
