/** The bytes of a safetensors file with any header, right or wrong: a JSON value, or text as it stands. */
export function safetensorsBytes(
  header: unknown,
  buffer: Uint8Array | number,
  headerLength?: number,
): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength ?? json.length));
  return Buffer.concat([length, json, typeof buffer === 'number' ? Buffer.alloc(buffer) : buffer]);
}

/** A header entry of a float32 vector. */
export function floatEntry(begin: number, end: number, shape = [(end - begin) / 4]): object {
  return { dtype: 'F32', shape, data_offsets: [begin, end] };
}
