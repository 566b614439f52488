import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { cannotRead } from '../checkpoint/files.js';

/** Sound as floats in [-1, 1]: one array per channel, all of one length. */
export interface Recording {
  channels: Float32Array[];
  sampleRateHz: number;
}

/** Reads one sample of its codec at a byte offset, scaled to [-1, 1]. */
type SampleReader = (data: DataView, offset: number) => number;

interface Format {
  tag: number;
  channelCount: number;
  sampleRateHz: number;
  bitsPerSample: number;
}

const PCM = 1;
const IEEE_FLOAT = 3;
const A_LAW = 6;
const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;

/** Beyond any real recording, and few enough that a few bytes cannot fill the memory with empty channels. */
const MAX_CHANNELS = 1024;

const SAMPLE_READERS: Record<string, SampleReader> = {
  [`${PCM}/8`]: (data, offset) => (data.getUint8(offset) - 128) / 128,
  [`${PCM}/16`]: (data, offset) => data.getInt16(offset, true) / 2 ** 15,
  [`${PCM}/24`]: (data, offset) =>
    (data.getUint16(offset, true) + data.getInt8(offset + 2) * 2 ** 16) / 2 ** 23,
  [`${PCM}/32`]: (data, offset) => data.getInt32(offset, true) / 2 ** 31,
  [`${IEEE_FLOAT}/32`]: (data, offset) => data.getFloat32(offset, true),
  [`${IEEE_FLOAT}/64`]: (data, offset) => data.getFloat64(offset, true),
  [`${A_LAW}/8`]: (data, offset) => decodeALaw(data.getUint8(offset)),
  [`${MU_LAW}/8`]: (data, offset) => decodeMuLaw(data.getUint8(offset)),
};

/** Reads a WAV file; see {@link parseWav}. */
export async function readWav(path: string): Promise<Recording> {
  return parseWav(await readFile(path).catch(cannotRead(path)), path);
}

/**
 * Decodes a RIFF WAVE file: PCM of 8, 16, 24 or 32 bits, 32- or 64-bit float, mu-law and A-law; up to 1024 channels, any sample rate.
 * A file may hold zero samples. Floats pass as they are, not clipped.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when it is not a WAV, is cut short, has no data, or is coded otherwise
 */
export function parseWav(bytes: Uint8Array, name: string): Recording {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 0) throw new Error(`${name}: the file is empty; expected a WAV file`);
  if (bytes.length < 12 || chunkId(view, 0) !== 'RIFF' || chunkId(view, 8) !== 'WAVE') {
    throw new Error(`${name}: not a WAV file (it does not start with RIFF....WAVE)`);
  }
  let format: Format | undefined;
  for (let offset = 12; offset + 8 <= bytes.length;) {
    const id = chunkId(view, offset);
    const start = offset + 8;
    const declared = view.getUint32(offset + 4, true);
    // A program that writes a WAV into a pipe cannot know its length and leaves this value there.
    const size = id === 'data' && declared === 0xffffffff ? bytes.length - start : declared;
    if (start + size > bytes.length) {
      throw new Error(
        `${name}: truncated: its "${id}" part should hold ${size} bytes, ${bytes.length - start} are there`,
      );
    }
    if (id === 'fmt ') format = parseFormat(view, start, size, name);
    if (id === 'data') {
      if (!format)
        throw new Error(`${name}: the sound data comes before any "fmt " part that says how it is coded`);
      return decodeSamples(new DataView(view.buffer, view.byteOffset + start, size), format, name);
    }
    offset = start + size + (size % 2);
  }
  throw new Error(`${name}: no sound data (the file has no "data" part)`);
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
  const dataSize = samples.length * 2;
  const bytes = new Uint8Array(44 + dataSize);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('RIFF....WAVEfmt '));
  view.setUint32(4, 36 + dataSize, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  bytes.set(new TextEncoder().encode('data'), 36);
  view.setUint32(40, dataSize, true);
  samples.forEach((value, i) => {
    view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(value * 32768))), true);
  });
  return bytes;
}

/** Writes {@link encodeWav}'s bytes to `path`, complete or not at all. */
export async function writeWav(path: string, samples: Float32Array, sampleRateHz: number): Promise<void> {
  await writeFileAtomic(path, encodeWav(samples, sampleRateHz));
}

function parseFormat(view: DataView, start: number, size: number, name: string): Format {
  if (size < 16) throw new Error(`${name}: its "fmt " part has ${size} bytes; at least 16 are needed`);
  let tag = view.getUint16(start, true);
  if (tag === EXTENSIBLE && size >= 26) tag = view.getUint16(start + 24, true);
  const format = {
    tag,
    channelCount: view.getUint16(start + 2, true),
    sampleRateHz: view.getUint32(start + 4, true),
    bitsPerSample: view.getUint16(start + 14, true),
  };
  if (format.channelCount === 0) throw new Error(`${name}: says it has 0 channels`);
  if (format.channelCount > MAX_CHANNELS)
    throw new Error(`${name}: says it has ${format.channelCount} channels; at most ${MAX_CHANNELS} are read`);
  if (format.sampleRateHz === 0) throw new Error(`${name}: says it has a sample rate of 0 Hz`);
  return format;
}

function decodeSamples(data: DataView, format: Format, name: string): Recording {
  const { tag, channelCount, sampleRateHz, bitsPerSample } = format;
  const read = SAMPLE_READERS[`${tag}/${bitsPerSample}`];
  if (!read) {
    throw new Error(
      `${name}: cannot read WAV codec ${tag} with ${bitsPerSample} bits; known are PCM of 8, 16, 24 and 32 bits, float of 32 and 64, mu-law and A-law`,
    );
  }
  const sampleBytes = bitsPerSample / 8;
  const frameBytes = sampleBytes * channelCount;
  if (data.byteLength % frameBytes !== 0) {
    throw new Error(
      `${name}: truncated: ${data.byteLength} bytes of sound are not a whole number of ${frameBytes}-byte frames`,
    );
  }
  const frameCount = data.byteLength / frameBytes;
  const channels = Array.from({ length: channelCount }, (_, channel) =>
    decodeChannel(data, read, frameCount, channel * sampleBytes, frameBytes),
  );
  return { channels, sampleRateHz };
}

/** A function of its own: twice as fast as the same loop inside the closure above. */
function decodeChannel(
  data: DataView,
  read: SampleReader,
  frameCount: number,
  start: number,
  frameBytes: number,
): Float32Array {
  const samples = new Float32Array(frameCount);
  for (let i = 0; i < frameCount; i++) samples[i] = read(data, start + i * frameBytes);
  return samples;
}

/** ITU-T G.711, as 16-bit linear. */
function decodeMuLaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return (code & 0x80 ? -magnitude : magnitude) / 32768;
}

/** ITU-T G.711, as 16-bit linear. */
function decodeALaw(byte: number): number {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const mantissa = ((code & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (code & 0x80 ? magnitude : -magnitude) / 32768;
}

function chunkId(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
}
