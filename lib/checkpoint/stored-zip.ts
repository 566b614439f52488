import { crc32 } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;

/**
 * The files in a zip archive whose entries are stored uncompressed, by name, as views of `bytes`; their checksums are verified, but for those
 * that are 0.
 * Layout: PKWARE APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when it is not a zip, is cut or damaged, or has compressed, encrypted, repeated or overlapping entries
 */
export function readStoredZip(bytes: Uint8Array, name: string): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  if (end === undefined)
    throw new Error(`${name}: not a zip archive, or cut short (its directory at the end is missing)`);
  const count = view.getUint16(end + 10, true);
  const entries = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  let totalBytes = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== DIRECTORY_ENTRY)
      throw new Error(`${name}: its zip directory is damaged`);
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw new Error(`${name}: its zip directory is damaged`);
    const entryName = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    const where = `${name}: its part "${entryName}"`;
    if (entries.has(entryName)) throw new Error(`${where} is there twice`);
    const data = storedData(view, at, where);
    totalBytes += data.length;
    if (totalBytes > bytes.length) throw new Error(`${where} overlaps another`);
    entries.set(entryName, data);
    at = next;
  }
  return entries;
}

function storedData(view: DataView, at: number, where: string): Uint8Array {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (flags & 1) throw new Error(`${where} is encrypted`);
  if (method !== 0)
    throw new Error(`${where} is compressed (method ${method}); PyTorch stores its files uncompressed`);
  const size = view.getUint32(at + 24, true);
  const header = view.getUint32(at + 42, true);
  if (header + 30 > view.byteLength || view.getUint32(header, true) !== LOCAL_HEADER)
    throw new Error(`${where} is not where the zip directory says`);
  const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
  if (start + size > view.byteLength) throw new Error(`${where} is cut short`);
  const data = new Uint8Array(view.buffer, view.byteOffset + start, size);
  const checksum = view.getUint32(at + 16, true);
  // PyTorch leaves 0 where it was told not to compute them.
  if (checksum !== 0 && crc32(data) !== checksum)
    throw new Error(`${where} is damaged (its checksum differs)`);
  return data;
}

function findEnd(view: DataView): number | undefined {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at--) {
    if (view.getUint32(at, true) === END_OF_DIRECTORY) return at;
  }
  return undefined;
}
