/**
 * Where a WAV file has its sound, and how it says that is coded. RIFF and its big-endian twin RIFX: Microsoft and IBM, "Multimedia
 * Programming Interface and Data Specifications 1.0"; RF64 and BW64, whose lengths have 64 bits: EBU Tech 3306, ITU-R BS.2088.
 */
import { convertCommand, explainOtherFormat } from './other-formats.js';

/** What the "fmt " part says. */
export interface WavFormat {
  /** The codec's number; of an extensible format, its sub-format's. */
  tag: number;
  channelCount: number;
  sampleRateHz: number;
  bytesPerSecond: number;
  /** Bytes of one sample of all channels ("block align"); some programs write a wrong one. */
  frameBytes: number;
  bitsPerSample: number;
}

export interface WavParts {
  format: WavFormat;
  sound: Uint8Array;
  littleEndian: boolean;
}

const EXTENSIBLE = 0xfffe;
const KINDS = ['RIFF', 'RIFX', 'RF64', 'BW64'];

/** Beyond any real recording, and few enough that a few bytes cannot fill the memory with empty channels. */
const MAX_CHANNELS = 1024;

/** NISQA's bound. A header that is wrong by more would make hours of seconds. */
export const LOWEST_RATE_HZ = 1000;
/** Of the fastest converters of sound. */
const HIGHEST_RATE_HZ = 768_000;

/**
 * Node.js reads files of up to 2 GiB at once, so a length from here on is no file's that got here: programs that write into a pipe
 * cannot know the length, and leave 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF or about that.
 */
const UNKNOWN_LENGTH = 0x7fff0000;

/**
 * Finds the "fmt " and "data" parts. Where a stream's header never learned the length of the sound, or the length is more than a file holds
 * that is whole by its own account, everything that follows is sound.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when it is not a WAV file, is cut short, has no such parts, or a sample rate that no recording has
 */
export function findWavParts(bytes: Uint8Array, name: string): WavParts {
  const file = bytes.subarray(tagBytes(bytes));
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const kind = file.length < 12 ? '' : partName(view, 0);
  if (!KINDS.includes(kind) || partName(view, 8) !== 'WAVE')
    throw new Error(`${name}: ${explainOtherFormat([file, bytes], name)}`);
  const littleEndian = kind !== 'RIFX';
  let lengths: Lengths = {
    littleEndian,
    ofFile: view.getUint32(4, littleEndian),
    unknownFrom: UNKNOWN_LENGTH,
  };
  let format: WavFormat | undefined;
  for (const { id, start, size } of partsFrom(view, 12, littleEndian)) {
    if (id === 'data') {
      if (!format)
        throw new Error(`${name}: the sound data comes before any "fmt " part that says how it is coded`);
      const soundBytes = soundLength(view, start, size, lengths, name);
      // Some programs leave out the byte that makes an odd length even.
      const ends = [start + soundBytes, start + soundBytes + (soundBytes % 2)];
      if (ends.some((end) => hasPart('data', view, end, littleEndian)))
        throw new Error(
          `${name}: its sound is in several "data" parts, of which all but the first would be lost; ${convertCommand(name)} makes one of them`,
        );
      return { format, sound: file.subarray(start, start + soundBytes), littleEndian };
    }
    if (start + size > file.length) throw cutShort(name, id, size, file.length - start);
    if (id === 'fmt ') format = parseFormat(view, start, size, littleEndian, name);
    if (id === 'ds64' && size >= 16 && (kind === 'RF64' || kind === 'BW64')) {
      const length = (at: number) => Number(view.getBigUint64(start + at, true));
      lengths = { littleEndian, ofFile: length(0), ofSound: length(8), unknownFrom: Number.MAX_SAFE_INTEGER };
    }
  }
  throw new Error(`${name}: no sound data (the file has no "data" part)`);
}

/** What a header says beside the "data" part's own length. */
interface Lengths {
  littleEndian: boolean;
  /** Bytes after the first 8. */
  ofFile: number;
  /** Of the sound, in RF64. */
  ofSound?: number;
  /** Lengths from here on are no real ones. */
  unknownFrom: number;
}

/** How many bytes from `start` on are sound. */
function soundLength(view: DataView, start: number, size: number, lengths: Lengths, name: string): number {
  const there = view.byteLength - start;
  const { littleEndian, ofFile, unknownFrom } = lengths;
  const declared = size === 0xffffffff ? (lengths.ofSound ?? size) : size;
  if (declared === 0 && there > 0) {
    if (isListOfParts(view, start, littleEndian)) return 0;
    // A header that was written before the sound and never filled in counts itself at most.
    if (ofFile <= start - 8 || ofFile >= unknownFrom) return there;
    throw new Error(
      `${name}: its "data" part should hold 0 bytes, but ${there} bytes follow it that are no other part`,
    );
  }
  if (declared <= there) return declared;
  const isWhole = ofFile + 8 === view.byteLength;
  if (declared >= unknownFrom || isWhole) return there;
  throw cutShort(name, 'data', declared, there);
}

function cutShort(name: string, id: string, size: number, there: number): Error {
  return new Error(`${name}: truncated: its "${id}" part should hold ${size} bytes, ${there} are there`);
}

/** Whether all from `offset` on is parts with a name and a length that fits. */
function isListOfParts(view: DataView, offset: number, littleEndian: boolean): boolean {
  let end = offset;
  for (const part of partsFrom(view, offset, littleEndian)) {
    if (!/^[\x20-\x7e]{4}$/.test(part.id)) return false;
    end = part.end;
  }
  return end === view.byteLength;
}

/** Whether one of the parts from `offset` on has that name. */
function hasPart(name: string, view: DataView, offset: number, littleEndian: boolean): boolean {
  for (const { id } of partsFrom(view, offset, littleEndian)) if (id === name) return true;
  return false;
}

/** The parts of a file one after the other: a name, a length, and so many bytes, filled up to an even number. */
function* partsFrom(view: DataView, offset: number, littleEndian: boolean) {
  for (let at = offset; at + 8 <= view.byteLength;) {
    const [start, size] = [at + 8, view.getUint32(at + 4, littleEndian)];
    const end = start + size + (size % 2);
    yield { id: partName(view, at), start, size, end };
    at = end;
  }
}

function parseFormat(
  view: DataView,
  start: number,
  size: number,
  littleEndian: boolean,
  name: string,
): WavFormat {
  if (size < 16) throw new Error(`${name}: its "fmt " part has ${size} bytes; at least 16 are needed`);
  const uint16 = (at: number) => view.getUint16(start + at, littleEndian);
  const uint32 = (at: number) => view.getUint32(start + at, littleEndian);
  const tag = uint16(0);
  const format = {
    tag: tag === EXTENSIBLE && size >= 28 ? uint32(24) : tag,
    channelCount: uint16(2),
    sampleRateHz: uint32(4),
    bytesPerSecond: uint32(8),
    frameBytes: uint16(12),
    bitsPerSample: uint16(14),
  };
  if (format.channelCount === 0) throw new Error(`${name}: says it has 0 channels`);
  if (format.channelCount > MAX_CHANNELS)
    throw new Error(`${name}: says it has ${format.channelCount} channels; at most ${MAX_CHANNELS} are read`);
  if (format.sampleRateHz < LOWEST_RATE_HZ || format.sampleRateHz > HIGHEST_RATE_HZ)
    throw new Error(
      `${name}: says it has a sample rate of ${format.sampleRateHz} Hz, and recordings have ${LOWEST_RATE_HZ} to ${HIGHEST_RATE_HZ} Hz: write it anew with its true rate`,
    );
  return format;
}

/** The length of an ID3v2 tag, which some programs put before anything; 0 where there is none. Its length has 7 bits in a byte. */
function tagBytes(bytes: Uint8Array): number {
  if (bytes.length < 10 || Buffer.from(bytes.subarray(0, 3)).toString('latin1') !== 'ID3') return 0;
  const length = bytes.subarray(6, 10).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  const footerBytes = bytes[5] & 0x10 ? 10 : 0;
  return 10 + length + footerBytes;
}

function partName(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
}
