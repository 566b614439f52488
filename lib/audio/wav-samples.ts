import { allFinite } from '../finite.js';
import { NOT_FINITE } from './finite.js';
import { convertCommand } from './other-formats.js';
import type { WavParts } from './wav-parts.js';

/** Reads one sample of its codec at a byte offset, scaled to [-1, 1]. */
type SampleReader = (data: DataView, offset: number) => number;

const PCM = 1;
const IEEE_FLOAT = 3;
const A_LAW = 6;
const MU_LAW = 7;

/** 24 dB above full scale: more than a mix in floats peaks at, and less than speech does on any scale of whole numbers. */
const LOUDEST = 16;

/** By codec and bytes of a sample. PCM of one byte has no sign. */
const READERS: Readonly<Record<string, SampleReader>> = {
  [`${PCM}/1`]: (data, offset) => (data.getUint8(offset) - 128) / 128,
  [`${PCM}/2`]: (data, offset) => data.getInt16(offset, true) / 2 ** 15,
  [`${PCM}/3`]: (data, offset) =>
    (data.getUint16(offset, true) + data.getInt8(offset + 2) * 2 ** 16) / 2 ** 23,
  [`${PCM}/4`]: (data, offset) => data.getInt32(offset, true) / 2 ** 31,
  [`${IEEE_FLOAT}/4`]: (data, offset) => data.getFloat32(offset, true),
  [`${IEEE_FLOAT}/8`]: (data, offset) => data.getFloat64(offset, true),
  [`${A_LAW}/1`]: (data, offset) => decodeALaw(data.getUint8(offset)),
  [`${MU_LAW}/1`]: (data, offset) => decodeMuLaw(data.getUint8(offset)),
};

/**
 * The channels of a WAV file's sound; bytes at its end that are no whole frame are left out.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when its codec is not known, or it holds a sample that is not a finite number, or louder than any recording
 */
export function decodeSamples(parts: WavParts, name: string): Float32Array[] {
  const { sound, littleEndian } = parts;
  const { tag, bitsPerSample, channelCount } = parts.format;
  const packedBytes = Math.ceil(bitsPerSample / 8);
  const isKnown = tag === PCM || bitsPerSample === 8 * packedBytes;
  if (!isKnown || !READERS[`${tag}/${packedBytes}`]) {
    throw new Error(
      `${name}: cannot read WAV codec ${tag} with ${bitsPerSample} bits; known are PCM of up to 32 bits, float of 32 and 64, mu-law and A-law; convert it with: ${convertCommand(name)}`,
    );
  }
  const sampleBytes = tag === PCM ? containerBytes(parts, packedBytes, name) : packedBytes;
  const bytes = littleEndian || sampleBytes === 1 ? sound : swapBytes(sound, sampleBytes);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[`${tag}/${sampleBytes}`];
  const frameBytes = sampleBytes * channelCount;
  const frameCount = Math.floor(bytes.length / frameBytes);
  const channels = Array.from({ length: channelCount }, (_, channel) =>
    decodeChannel(data, read, frameCount, channel * sampleBytes, frameBytes),
  );
  if (tag === IEEE_FLOAT) refuseWhatIsNoSound(channels, name);
  return channels;
}

/** Floats may be anything. */
function refuseWhatIsNoSound(channels: readonly Float32Array[], name: string): void {
  if (!channels.every(allFinite)) throw new Error(`${name}: ${NOT_FINITE}`);
  let peak = 0;
  for (const samples of channels)
    for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i]));
  if (peak > LOUDEST)
    throw new Error(
      `${name}: its samples reach ${Number(peak.toPrecision(4))}, and full scale is 1 (up to ${LOUDEST} is read): divide them by what full scale is in them, as 32768 where they were 16-bit integers`,
    );
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

/**
 * How many bytes a sample of PCM takes: what its bits fill, or more where the frames have room for it. The sample is then at the
 * upper end of its bytes, as the format asks for, so that they are read as one whole number.
 *
 * Some programs write a wrong number of bytes for a frame. One in which the samples have no room is passed over. Of 16 bits, which
 * hardly ever take more than 2 bytes, a larger one is believed only where the samples themselves bear it out.
 */
function containerBytes(
  { format, sound, littleEndian }: WavParts,
  packedBytes: number,
  name: string,
): number {
  const { bitsPerSample, channelCount, frameBytes, bytesPerSecond, sampleRateHz } = format;
  const bytes = frameBytes / channelCount;
  const hasRoom = Number.isInteger(bytes) && bytes > packedBytes;
  if (!hasRoom || packedBytes === 1 || packedBytes === 4) return packedBytes;
  const isPadded = bytes <= 4 && isZeroBelow(sound, bytes, packedBytes, littleEndian);
  if (bitsPerSample === 16)
    return isPadded && bytesPerSecond === sampleRateHz * frameBytes ? bytes : packedBytes;
  const isContradicted = bytesPerSecond === sampleRateHz * channelCount * packedBytes && !isPadded;
  if (bytes > 4 || isContradicted) {
    throw new Error(
      `${name}: says that its frames of ${channelCount} times ${bitsPerSample} bits have ${frameBytes} bytes, which cannot be right; convert it with: ${convertCommand(name)}`,
    );
  }
  return bytes;
}

/** Whether the lowest bytes of all samples, those that `packedBytes` do not fill, are zero. */
function isZeroBelow(
  sound: Uint8Array,
  sampleBytes: number,
  packedBytes: number,
  littleEndian: boolean,
): boolean {
  const lowest = littleEndian ? 0 : packedBytes;
  for (let start = lowest; start + sampleBytes <= sound.length; start += sampleBytes) {
    for (let i = 0; i < sampleBytes - packedBytes; i++) if (sound[start + i] !== 0) return false;
  }
  return true;
}

/** The samples of a big-endian file in little-endian order. */
function swapBytes(sound: Uint8Array, sampleBytes: number): Uint8Array {
  const swapped = new Uint8Array(sound.length);
  for (let start = 0; start + sampleBytes <= sound.length; start += sampleBytes) {
    for (let i = 0; i < sampleBytes; i++) swapped[start + i] = sound[start + sampleBytes - 1 - i];
  }
  return swapped;
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
