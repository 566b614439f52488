/** Which mel bands, of spectra of which size. */
export interface MelOptions {
  sampleRateHz: number;
  fftSize: number;
  bands: number;
  /** Default 0. */
  minHz?: number;
  /** Default half the sample rate. Bands above that stay empty. */
  maxHz?: number;
  /** Slaney's auditory toolbox (linear below 1 kHz, logarithmic above; default) or HTK's formula. */
  scale?: 'slaney' | 'htk';
  /** "slaney" (default): triangles of area 1; "none": triangles of height 1. */
  norm?: 'slaney' | 'none';
}

/** One triangular filter: `weights` for the FFT bins from `firstBin` on; all others weigh 0. */
export interface MelBand {
  firstBin: number;
  weights: Float64Array;
}

/** A mel filter bank with librosa.filters.mel's definitions, weights rounded to float32 as there. */
export function melFilterBank(options: MelOptions): MelBand[] {
  const { sampleRateHz, fftSize, bands, minHz = 0, maxHz = sampleRateHz / 2, norm = 'slaney' } = options;
  const { toMel, toHz } = SCALES[options.scale ?? 'slaney'];
  const [minMel, maxMel] = [toMel(minHz), toMel(maxHz)];
  const edgesHz = Array.from({ length: bands + 2 }, (_, i) =>
    toHz(minMel + ((maxMel - minMel) * i) / (bands + 1)),
  );
  const lastBin = Math.floor(fftSize / 2);
  return Array.from({ length: bands }, (_, band) => {
    const [low, centre, high] = edgesHz.slice(band, band + 3);
    const scale = norm === 'slaney' ? 2 / (high - low) : 1;
    const firstBin = Math.max(0, Math.ceil((low * fftSize) / sampleRateHz));
    const endBin = Math.min(lastBin, Math.floor((high * fftSize) / sampleRateHz)) + 1;
    const weights = Float64Array.from({ length: Math.max(0, endBin - firstBin) }, (_, i) => {
      const hz = ((firstBin + i) * sampleRateHz) / fftSize;
      const height = Math.min((hz - low) / (centre - low), (high - hz) / (high - centre));
      return Math.fround(Math.max(0, height) * scale);
    });
    return { firstBin, weights };
  });
}

/** The weighted sum of one spectrum's magnitudes (or powers) under each filter. */
export function applyMel(filters: readonly MelBand[], magnitudes: Float64Array, out: Float64Array): void {
  filters.forEach(({ firstBin, weights }, band) => {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i] * magnitudes[firstBin + i];
    out[band] = sum;
  });
}

const SLANEY_HZ_PER_MEL = 200 / 3;
const SLANEY_BREAK_HZ = 1000;
const SLANEY_BREAK_MEL = SLANEY_BREAK_HZ / SLANEY_HZ_PER_MEL;
const SLANEY_LOG_STEP = Math.log(6.4) / 27;

const SCALES = {
  slaney: {
    toMel: (hz: number) =>
      hz < SLANEY_BREAK_HZ
        ? hz / SLANEY_HZ_PER_MEL
        : SLANEY_BREAK_MEL + Math.log(hz / SLANEY_BREAK_HZ) / SLANEY_LOG_STEP,
    toHz: (mel: number) =>
      mel < SLANEY_BREAK_MEL
        ? mel * SLANEY_HZ_PER_MEL
        : SLANEY_BREAK_HZ * Math.exp(SLANEY_LOG_STEP * (mel - SLANEY_BREAK_MEL)),
  },
  htk: {
    toMel: (hz: number) => 2595 * Math.log10(1 + hz / 700),
    toHz: (mel: number) => 700 * (10 ** (mel / 2595) - 1),
  },
};

/** Slaney's mel scale: linear below 1 kHz, which is 15 mel, logarithmic above. */
export const slaneyMel = SCALES.slaney.toMel;
