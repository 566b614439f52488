const MU_LAW = 7;
const HEADER_BYTES = 58;
const BIAS = 0x84;
const LARGEST = 0x7fff - BIAS;

/**
 * A mono WAV file of `samples` in 8-bit mu-law (ITU-T G.711): half of 16-bit PCM's bytes, with noise some 38 dB below the sound that it
 * goes along with. Browsers play it. Values outside [-1, 1] are clipped, NaN becomes 0.
 */
export function encodeMuLawWav(samples: Float32Array, sampleRateHz: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + samples.length + (samples.length % 2));
  const view = new DataView(bytes.buffer);
  const text = (offset: number, id: string) => bytes.set(new TextEncoder().encode(id), offset);
  text(0, 'RIFF....WAVEfmt ');
  view.setUint32(4, bytes.length - 8, true);
  view.setUint32(16, 18, true);
  view.setUint16(20, MU_LAW, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  // Codings other than PCM tell their number of samples.
  text(38, 'fact');
  view.setUint32(42, 4, true);
  view.setUint32(46, samples.length, true);
  text(50, 'data');
  view.setUint32(54, samples.length, true);
  samples.forEach((value, i) => (bytes[HEADER_BYTES + i] = toMuLaw(Math.round(value * 0x8000))));
  return bytes;
}

/** Sign, exponent and four bits below the leading one, all inverted. */
function toMuLaw(sample: number): number {
  const biased = Math.min(LARGEST, Math.abs(sample) || 0) + BIAS;
  const exponent = 24 - Math.clz32(biased);
  const mantissa = (biased >> (exponent + 3)) & 0x0f;
  return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | mantissa) & 0xff;
}
