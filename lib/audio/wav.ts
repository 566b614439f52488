import wavefile from 'wavefile';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { readGivenFile, refuseStandIn } from '../checkpoint/given-file.js';
import { findWavParts } from './wav-parts.js';
import { decodeSamples } from './wav-samples.js';

/** Sound as floats in [-1, 1]: one array per channel, all of one length. */
export interface Recording {
  channels: Float32Array[];
  sampleRateHz: number;
}

/** Sound of one channel as floats in [-1, 1]: what a codec makes, and what scorers, players and charts are given. */
export interface MonoRecording {
  samples: Float32Array;
  sampleRateHz: number;
}

/** A mono recording with a name. */
export interface NamedRecording extends MonoRecording {
  name: string;
}

/** Reads a WAV file; see {@link parseWav}. */
export async function readWav(path: string): Promise<Recording> {
  return parseWav(await readGivenFile(path), path);
}

/**
 * Decodes a WAV file: PCM of up to 32 bits, 32- or 64-bit float, mu-law and A-law; up to 1024 channels, sample rates of 1,000 to
 * 768,000 Hz; little-endian (RIFF), big-endian (RIFX) or with 64-bit lengths (RF64, BW64); also one that was written into a pipe, whose
 * header does not know the length. A file may hold zero samples. Floats pass as they are, not clipped.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when it is not a WAV, is cut short, has no data, is coded otherwise, has a sample rate that no
 * recording has, or holds a sample that is not a finite number, or louder than 16 times full scale
 */
export function parseWav(bytes: Uint8Array, name: string): Recording {
  refuseStandIn(bytes, name);
  const parts = findWavParts(bytes, name);
  return { channels: decodeSamples(parts, name), sampleRateHz: parts.format.sampleRateHz };
}

/** The mean of all channels, rounded to float32 after every addition, as numpy does with float32 arrays; a mono recording's own array. */
export function toMono(recording: Recording): Float32Array {
  const [first, ...others] = recording.channels;
  if (!first) throw new Error('A recording without channels has no mono version');
  if (others.length === 0) return first;
  const sum = Float32Array.from(first);
  for (const channel of others) {
    for (let i = 0; i < sum.length; i++) sum[i] += channel[i];
  }
  return sum.map((value) => value / recording.channels.length);
}

/** A mono 16-bit PCM WAV file of `samples`; values outside [-1, 1] are clipped, NaN becomes 0. */
export function encodeWav(samples: Float32Array, sampleRateHz: number): Uint8Array {
  if (!Number.isInteger(sampleRateHz) || sampleRateHz < 1) {
    throw new Error(
      `Cannot write a WAV file with a sample rate of ${sampleRateHz}; expected a positive whole number of Hz`,
    );
  }
  const bytes = new Uint8Array(2 * samples.length);
  const view = new DataView(bytes.buffer);
  samples.forEach((value, i) => {
    view.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(value * 32768))), true);
  });
  const file = new wavefile.WaveFile();
  file.fromScratch(1, sampleRateHz, '16', []);
  // Given samples, fromScratch packs them one by one: 16 s for an hour of sound in place of 2.
  (file.data as { samples: Uint8Array }).samples = bytes;
  return file.toBuffer();
}

/** Writes {@link encodeWav}'s bytes to `path`, complete or not at all. */
export async function writeWav(path: string, samples: Float32Array, sampleRateHz: number): Promise<void> {
  await writeFileAtomic(path, encodeWav(samples, sampleRateHz));
}
