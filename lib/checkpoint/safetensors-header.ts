/** The header of a safetensors file, checked to the published format's rules (github.com/huggingface/safetensors). */

/** The format's limit on the JSON header, bytes. */
const MAX_HEADER_BYTES = 100_000_000;

/** Bytes before the header: its length as an unsigned little-endian 64-bit integer. */
export const LENGTH_BYTES = 8;

export const ITEM_BYTES = { F32: 4, F16: 2, BF16: 2, I64: 8 } as const;
export type FileDtype = keyof typeof ITEM_BYTES;

/** Where a tensor lies: bytes `begin` (inclusive) to `end` (exclusive) of the buffer after the header. */
export interface TensorEntry {
  name: string;
  dtype: FileDtype;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * The header's length in bytes, from the first 8 bytes of a file.
 * @throws when it is over the format's limit or not inside the file.
 */
export function parseHeaderLength(firstBytes: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < LENGTH_BYTES) {
    throw new Error(
      `${file} is not a safetensors file: it has ${fileBytes} bytes, fewer than the 8 of a header length.`,
    );
  }
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, LENGTH_BYTES);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new Error(
      `${file} is not a safetensors file: its header would have ${length} bytes, the format allows ${MAX_HEADER_BYTES}.`,
    );
  }
  if (LENGTH_BYTES + Number(length) > fileBytes) {
    throw new Error(
      `${file} is truncated: its header of ${length} bytes does not fit in a file of ${fileBytes} bytes.`,
    );
  }
  return Number(length);
}

/**
 * Tensors of a file in the order of their bytes.
 * @param header the JSON header's bytes.
 * @param bufferBytes how many bytes follow the header; the tensors must cover them all, without overlap or hole.
 */
export function parseHeader(header: Uint8Array, bufferBytes: number, file: string): TensorEntry[] {
  const content = parseJsonObject(header, file);
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(content)) {
    if (name === '__metadata__') checkMetadata(value, file);
    else entries.push(parseEntry(name, value, file));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, bufferBytes, file);
  return entries;
}

function parseJsonObject(header: Uint8Array, file: string): object {
  if (header[0] !== 0x7b)
    throw new Error(`${file} is not a safetensors file: its header does not start with "{".`);
  let text: string;
  let content: object;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    content = JSON.parse(text) as object;
  } catch {
    throw new Error(`${file} is not a safetensors file: its header is not valid JSON.`);
  }
  const key = findDuplicateKey(text);
  if (key !== undefined) throw new Error(`${file}: the header has the key ${JSON.stringify(key)} twice.`);
  return content;
}

/** The first key that an object of valid JSON `text` holds twice, at any depth; `JSON.parse` would keep the last silently. */
function findDuplicateKey(text: string): string | undefined {
  const openObjects: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '{') openObjects.push(new Set());
    else if (character === '}') openObjects.pop();
    else if (character === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      let next = i + 1;
      while (/\s/.test(text[next] ?? '')) next++;
      if (text[next] !== ':') continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      const keys = openObjects.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function checkMetadata(value: unknown, file: string): void {
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw new Error(`${file}: __metadata__ must be an object of strings.`);
  }
}

function parseEntry(name: string, value: unknown, file: string): TensorEntry {
  const where = `${file}: tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) throw new Error(`${where} is not described by an object.`);
  const { dtype, shape, data_offsets: offsets, ...others } = value;
  const unknownKey = Object.keys(others)[0];
  if (unknownKey !== undefined) throw new Error(`${where} has an unknown key ${JSON.stringify(unknownKey)}.`);
  if (!isFileDtype(dtype)) {
    const known = Object.keys(ITEM_BYTES).join(', ');
    throw new Error(`${where} has dtype ${JSON.stringify(dtype)}: speech-dpo reads ${known}.`);
  }
  if (!isSizes(shape)) throw new Error(`${where} has a shape that is not a list of non-negative integers.`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw new Error(`${where} has data_offsets that are not two non-negative integers.`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw new Error(`${where} begins at byte ${begin}, after its end at ${end}.`);
  const bytes = byteLength(shape, dtype, where);
  if (end - begin !== bytes) {
    throw new Error(
      `${where} of shape [${shape.join(', ')}] and dtype ${dtype} needs ${bytes} bytes, but data_offsets give ${end - begin}.`,
    );
  }
  return { name, dtype, shape, begin, end };
}

function byteLength(shape: number[], dtype: FileDtype, where: string): number {
  let bytes: number = ITEM_BYTES[dtype];
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes))
      throw new Error(`${where} has a shape too large to count: [${shape.join(', ')}].`);
  }
  return bytes;
}

function checkCoverage(entries: TensorEntry[], bufferBytes: number, file: string): void {
  let covered = 0;
  for (const { name, begin, end } of entries) {
    const where = `${file}: tensor ${JSON.stringify(name)}`;
    if (begin < covered)
      throw new Error(`${where} begins at byte ${begin}, inside the tensor that ends at ${covered}.`);
    if (begin > covered)
      throw new Error(`${where} begins at byte ${begin}: bytes ${covered} to ${begin} belong to no tensor.`);
    if (end > bufferBytes)
      throw new Error(`${where} ends at byte ${end}, but the file holds ${bufferBytes}: it is truncated.`);
    covered = end;
  }
  if (covered < bufferBytes) {
    throw new Error(`${file}: the last ${bufferBytes - covered} bytes belong to no tensor.`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFileDtype(value: unknown): value is FileDtype {
  return typeof value === 'string' && Object.hasOwn(ITEM_BYTES, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}
