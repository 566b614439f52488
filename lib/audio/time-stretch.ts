import { hannWindow } from './stft.js';

/** 40 ms frames with half overlap, moved by up to 10 ms: room for one period of any voice above 50 Hz. */
const FRAME_SECONDS = 0.04;
const TOLERANCE_SECONDS = 0.01;

/**
 * Plays `samples` `tempo` times as fast at the same pitch: round(length / tempo) samples.
 * WSOLA (Verhelst & Roelands 1993): windowed frames are taken where they continue the previous frame best, and overlapped.
 *
 * @throws Error when `tempo` is not a positive number
 */
export function stretchTime(samples: Float32Array, tempo: number, sampleRateHz: number): Float32Array {
  if (!(tempo > 0 && Number.isFinite(tempo))) throw new Error(`A tempo is a positive number, not ${tempo}`);
  const hop = Math.round((FRAME_SECONDS / 2) * sampleRateHz);
  const tolerance = Math.round(TOLERANCE_SECONDS * sampleRateHz);
  const window = hannWindow(2 * hop);
  const length = Math.round(samples.length / tempo);
  const frames = Math.ceil(length / hop) + 1;
  // Zeros on both sides, so that every frame and every search lies inside.
  const margin = 2 * hop + 2 * tolerance;
  const padded = new Float32Array(Math.ceil(Math.max(samples.length, frames * hop * tempo)) + 3 * margin);
  padded.set(samples, margin);
  const stretched = new Float32Array((frames + 1) * hop);
  let previous = margin - hop;
  for (let frame = 0; frame < frames; frame++) {
    // Frame t is centred on output sample t * hop and on input sample t * hop * tempo.
    const nominal = margin - hop + Math.round(frame * hop * tempo);
    const start =
      frame === 0 ? nominal : findContinuation(padded, previous + hop, nominal, tolerance, 2 * hop);
    for (let i = 0; i < 2 * hop; i++) stretched[frame * hop + i] += window[i] * padded[start + i];
    previous = start;
  }
  return stretched.slice(hop, hop + length);
}

/** Samples between the starts that are tried first; the best one's neighbours follow. */
const COARSE_STEP = 4;

/** The start within `tolerance` of `nominal` whose frame is most like the one at `wanted`, by normalized cross-correlation. */
function findContinuation(
  signal: Float32Array,
  wanted: number,
  nominal: number,
  tolerance: number,
  size: number,
): number {
  const search = (from: number, to: number, step: number, stride: number): number => {
    let best = nominal;
    let bestScore = 0;
    for (let start = from; start <= to; start += step) {
      let product = 0;
      let energy = 1e-9;
      for (let i = 0; i < size; i += stride) {
        product += signal[start + i] * signal[wanted + i];
        energy += signal[start + i] * signal[start + i];
      }
      const score = product / Math.sqrt(energy);
      if (score > bestScore) [best, bestScore] = [start, score];
    }
    return best;
  };
  const coarse = search(nominal - tolerance, nominal + tolerance, COARSE_STEP, 2);
  return search(coarse - COARSE_STEP + 1, coarse + COARSE_STEP - 1, 1, 1);
}
