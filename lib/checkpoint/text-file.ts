/** Text files: UTF-8 and nothing else, since what is decoded with replacement characters is trained on in silence. */
import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { cannotRead, readWhole } from './files.js';
import { refuseStandIn } from './given-file.js';

const CHUNK_BYTES = 64 * 1024;
const MAX_LINE_CHARACTERS = 64 * 2 ** 20;

const BYTE_ORDER_MARK = '\ufeff';
const LINE_FEED = 0x0a;

/**
 * The text of a file, without a byte order mark.
 *
 * @throws Error in one sentence when the file cannot be read or is no UTF-8: where, and how to convert it
 */
export async function readTextFile(file: string): Promise<string> {
  return decodeText(await readWhole(file), file);
}

/**
 * The text that the bytes of a whole file spell, as {@link readTextFile} gives it.
 *
 * @param file names it in messages
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  refuseOtherFiles(bytes, file);
  return withoutMark(decode(bytes, { file, offset: 0, line: 1 }));
}

/** As {@link readTextFile}, one part of some 64 kB at a time. */
export async function* textChunks(file: string): AsyncGenerator<string> {
  const handle = await open(file).catch(cannotRead(file));
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const place = { file, offset: 0, line: 1 };
    let kept = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, kept, CHUNK_BYTES - kept).catch(cannotRead(file));
      const bytes = buffer.subarray(0, kept + bytesRead);
      if (bytes.length === 0) return;
      if (place.offset === 0) refuseOtherFiles(bytes, file);
      const whole = bytesRead === 0 ? bytes : bytes.subarray(0, bytes.length - bytesOfLastCharacter(bytes));
      const text = decode(whole, place);
      yield place.offset === 0 ? withoutMark(text) : text;
      place.offset += whole.length;
      place.line += countLineFeeds(whole);
      kept = bytes.length - whole.length;
      buffer.copyWithin(0, whole.length, bytes.length);
    }
  } finally {
    await handle.close();
  }
}

/**
 * The lines of a file, read as {@link readTextFile} reads it, without what ends them: a line feed, or a carriage return and a line feed.
 * Nothing else ends a line; U+2028, for example, may stand in a text of JSON.
 *
 * @throws Error, too, when a line has more than 64 Mi characters
 */
export async function* textLines(file: string): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;
  let number = 1;
  for await (const chunk of textChunks(file)) {
    const [first, ...others] = chunk.split('\n');
    parts.push(first);
    length += first.length;
    for (const next of others) {
      yield parts.join('').replace(/\r$/, '');
      parts = [next];
      length = next.length;
      number += 1;
    }
    if (length > MAX_LINE_CHARACTERS)
      throw new Error(`${file}: line ${number} has more than ${MAX_LINE_CHARACTERS} characters.`);
  }
  if (length > 0) yield parts.join('').replace(/\r$/, '');
}

/** What {@link isWholeText} finds, for messages. */
export const HALF_CHARACTER = 'holds half a character (a surrogate without its other half)';

/** Whether a text can be written as UTF-8: half of a surrogate pair, which JSON can spell (`\\ud800`), becomes a replacement character. */
export function isWholeText(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

interface Place {
  file: string;
  offset: number;
  line: number;
}

function decode(bytes: Uint8Array, { file, offset, line }: Place): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const at = findWrongByte(bytes);
  const hex = bytes[at].toString(16).toUpperCase().padStart(2, '0');
  throw new Error(
    `${file} is not UTF-8 text: line ${line + countLineFeeds(bytes.subarray(0, at))} has the byte 0x${hex}, at offset ${offset + at}; if it is Windows-1252 (or Latin-1), convert it with ${conversion('WINDOWS-1252', file)}.`,
  );
}

const conversion = (encoding: string, file: string) =>
  `\`iconv -f ${encoding} -t UTF-8 '${file}' > NEW_FILE\``;

/** Where the first character begins that is none, in bytes that are no UTF-8. */
function findWrongByte(bytes: Uint8Array): number {
  let at = 0;
  for (;;) {
    const length = lengthOfCharacter(bytes[at]);
    if (length > 1 && !isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
}

/** By its first byte. */
function lengthOfCharacter(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** How many bytes at the end begin a character that may go on after them. */
function bytesOfLastCharacter(bytes: Uint8Array): number {
  for (let count = 1; count <= 3 && count <= bytes.length; count++) {
    const byte = bytes[bytes.length - count];
    if (byte >= 0xc0) return lengthOfCharacter(byte) > count ? count : 0;
  }
  return 0;
}

function countLineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) count += 1;
  return count;
}

const withoutMark = (text: string) => (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);

function refuseOtherFiles(start: Uint8Array, file: string): void {
  if (start.length > 0) refuseStandIn(start, file);
  refuseOtherEncodings(start, file);
}

/** Text without non-ASCII characters has a zero beside each in UTF-16, which would pass for UTF-8. */
function refuseOtherEncodings(bytes: Uint8Array, file: string): void {
  const encoding = otherEncoding(bytes);
  if (encoding)
    throw new Error(`${file} is ${encoding} text, not UTF-8: convert it with ${conversion(encoding, file)}.`);
}

function otherEncoding([a, b, c, d]: Uint8Array): string | undefined {
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? 'UTF-32' : 'UTF-16';
  if (a === 0xfe && b === 0xff) return 'UTF-16';
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return 'UTF-32';
  if (a > 0 && b === 0) return c === 0 && d === 0 ? 'UTF-32LE' : 'UTF-16LE';
  return a === 0 && b > 0 ? 'UTF-16BE' : undefined;
}
