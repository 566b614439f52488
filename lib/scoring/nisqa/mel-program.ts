import type { Tensor } from '@tensorflow/tfjs-core';
import { melFilterBank, type MelBand } from '../../audio/mel.js';
import { hannWindow } from '../../audio/stft.js';
import { compile, tf, type Compiled, type Device } from '../../engine/index.js';
import { NISQA_FRAMING } from './features.js';
import { FFT_SIZE, FRAMES_AT_ONCE, MEL_BANDS, pairGroups, windowOf } from './frames.js';

const MIN_POWER = 1e-8;
const DECIBELS_PER_NEPER = 10 / Math.LN10;

/**
 * The mel spectrogram of folded frames of one sample rate. Their window is symmetric: with the sums of samples at equal distance from
 * its middle the real part of a spectrum centred there is a sum of cosines, with their differences the imaginary part one of sines.
 *
 * Inputs: sums, differences [frames, pairs], at most FRAMES_AT_ONCE frames; output: decibels [frames, MEL_BANDS].
 */
export function compileMel(
  sampleRateHz: number,
  device: Device,
  maxHz = NISQA_FRAMING.maxMelHz,
): Promise<Compiled> {
  const windowSize = windowOf(sampleRateHz);
  const groups = pairGroups(windowSize);
  const pieces = piecesAfter(groups.length);
  const bands = melFilterBank({ sampleRateHz, fftSize: FFT_SIZE, bands: MEL_BANDS, maxHz });
  const filters = filterMatrices(bands, pieces.at(-1)!);
  const frames = {
    shape: [FRAMES_AT_ONCE, groups.flat().length],
    dtype: 'float32',
    growingAxis: 0,
  } as const;
  return compile(
    (w) => {
      const sizes = groups.map((pairs) => pairs.length);
      const spectrum = (folded: Tensor, waves: 'cosines' | 'sines'): Tensor[] => {
        const [first, ...others] = tf.split(folded, sizes, 1);
        return others.reduce(
          (spectra, part, group) =>
            spectra.flatMap((even, piece) => {
              // Mirrored bins: cos(pi i - x) = (-1)^i cos(x), sin(pi i - x) = -(-1)^i sin(x).
              const odd = tf.matMul(part, w[`${waves}${group + 1}.${piece}`]);
              return [tf.add(even, odd), waves === 'cosines' ? tf.sub(even, odd) : tf.sub(odd, even)];
            }),
          [tf.matMul(first, w[`${waves}0.0`])],
        );
      };
      const [real, imaginary] = [spectrum(w.sums, 'cosines'), spectrum(w.differences, 'sines')];
      const mels = filters.map(({ piece, firstBand, bandCount }) => {
        const magnitudes = tf.sqrt(tf.add(tf.square(real[piece]), tf.square(imaginary[piece])));
        const emptyBands = [firstBand, MEL_BANDS - firstBand - bandCount] as [number, number];
        return tf.pad(tf.matMul(magnitudes, w[`filters${piece}`]), [[0, 0], emptyBands]);
      });
      const power = tf.maximum(tf.square(tf.addN(mels)), MIN_POWER);
      return { decibels: tf.mul(tf.log(power), DECIBELS_PER_NEPER) };
    },
    { sums: frames, differences: frames },
    {
      device,
      constants: Object.fromEntries([
        ...groups.flatMap((pairs, group) =>
          pieces[Math.max(0, group - 1)].flatMap((bins, piece) => [
            [`cosines${group}.${piece}`, basis(pairs, windowSize, bins, Math.cos)],
            [`sines${group}.${piece}`, basis(pairs, windowSize, bins, Math.sin)],
          ]),
        ),
        ...filters.map(({ piece, weights }) => [`filters${piece}`, weights]),
      ]),
    },
  );
}

/** The bins of each piece of a spectrum when one, two, ... groups of pairs have been summed. */
function piecesAfter(groupCount: number): number[][][] {
  const stages = [[Array.from({ length: FFT_SIZE / 2 ** groupCount + 1 }, (_, bin) => bin)]];
  for (let group = 1; group < groupCount; group++) {
    const mirror = FFT_SIZE / 2 ** (groupCount - group);
    stages.push(stages[group - 1].flatMap((bins) => [bins, bins.map((bin) => mirror - bin)]));
  }
  return stages;
}

/** Waves at the distances of pairs from their window's middle, times the window: [pairs, bins]. */
function basis(pairs: number[], windowSize: number, bins: number[], wave: (angle: number) => number) {
  const window = hannWindow(2 * windowSize);
  const data = new Float32Array(pairs.length * bins.length);
  pairs.forEach((pair, row) => {
    const distance = pair + (windowSize % 2) / 2;
    // The sample in the middle is its own counterpart.
    const weight = window[windowSize + 2 * distance] * (distance === 0 ? 0.5 : 1);
    bins.forEach((bin, column) => {
      const angle = (2 * Math.PI * ((distance * bin) % FFT_SIZE)) / FFT_SIZE;
      data[row * bins.length + column] = weight * wave(angle);
    });
  });
  return { shape: [pairs.length, bins.length], data };
}

/** For each piece with bins under some filter the bands from the first to the last of these, and their weights [bins, bandCount]. */
function filterMatrices(bands: readonly MelBand[], pieces: readonly number[][]) {
  const seen = new Set<number>();
  return pieces.flatMap((bins, piece) => {
    // Pieces share the bins at their ends, which count once.
    const isOwn = bins.map((bin) => !seen.has(bin));
    bins.forEach((bin) => seen.add(bin));
    const weightAt = ({ firstBin, weights }: MelBand, row: number): number => {
      const i = bins[row] - firstBin;
      return isOwn[row] && i >= 0 && i < weights.length ? weights[i] : 0;
    };
    const isHere = bands.map((band) => bins.some((_, row) => weightAt(band, row) > 0));
    const firstBand = isHere.indexOf(true);
    if (firstBand === -1) return [];
    const here = bands.slice(firstBand, isHere.lastIndexOf(true) + 1);
    const data = Float32Array.from({ length: bins.length * here.length }, (_, i) =>
      weightAt(here[i % here.length], Math.floor(i / here.length)),
    );
    return [
      { piece, firstBand, bandCount: here.length, weights: { shape: [bins.length, here.length], data } },
    ];
  });
}
