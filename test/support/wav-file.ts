export interface WavOptions {
  /** Default RIFF. RF64 and BW64 get a "ds64" part. */
  kind?: 'RIFF' | 'RIFX' | 'RF64' | 'BW64';
  /** Codec: 1 PCM (default), 3 float, 6 A-law, 7 mu-law. */
  tag?: number;
  bits?: number;
  channels?: number;
  /** Bytes of a sample that `frameBytes` allows for; default: those that the bits fill. */
  sampleBytes?: number;
  frameBytes?: number;
  bytesPerSecond?: number;
  /** Makes the format extensible, with this number of valid bits. */
  validBits?: number;
  /** What the header says of the lengths, default the truth. In RF64 and BW64, what "ds64" says. */
  fileLength?: number | bigint;
  soundLength?: number | bigint;
  /** Bytes after the sound: other parts. */
  after?: Uint8Array;
}

/** The bytes of a WAV file of 8000 Hz around `sound`, with whatever is to be said in its header. */
export function wavFile(sound: Uint8Array, options: WavOptions = {}): Uint8Array {
  const { kind = 'RIFF', tag = 1, bits = 16, channels = 1, validBits, after = new Uint8Array(0) } = options;
  const big = kind === 'RIFX';
  const number = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    if (big) buffer.writeUIntBE(value, 0, bytes);
    else buffer.writeUIntLE(value, 0, bytes);
    return buffer;
  };
  const part = (id: string, content: Uint8Array, length = content.length) =>
    Buffer.concat([Buffer.from(id), number(length, 4), content]);
  const frameBytes = options.frameBytes ?? channels * (options.sampleBytes ?? Math.ceil(bits / 8));
  const guid = Buffer.from('000000001000800000aa00389b71', 'hex');
  const format = Buffer.concat([
    number(validBits === undefined ? tag : 0xfffe, 2),
    number(channels, 2),
    number(8000, 4),
    number(options.bytesPerSecond ?? 8000 * frameBytes, 4),
    number(frameBytes, 2),
    number(bits, 2),
    ...(validBits === undefined ? [] : [number(22, 2), number(validBits, 2), number(0, 4)]),
    ...(validBits === undefined ? [] : [number(tag, 4), guid.subarray(2)]),
  ]);
  const isLong = kind === 'RF64' || kind === 'BW64';
  const pad = new Uint8Array(sound.length % 2);
  const rest = (ds64: Uint8Array) =>
    Buffer.concat([
      Buffer.from('WAVE'),
      ds64,
      part('fmt ', format),
      part('data', sound, isLong ? 0xffffffff : Number(options.soundLength ?? sound.length)),
      pad,
      after,
    ]);
  const fileLength = options.fileLength ?? rest(isLong ? Buffer.alloc(36) : Buffer.alloc(0)).length;
  const ds64 = Buffer.alloc(28);
  ds64.writeBigUInt64LE(BigInt(fileLength), 0);
  ds64.writeBigUInt64LE(BigInt(options.soundLength ?? sound.length), 8);
  const content = rest(isLong ? part('ds64', ds64) : Buffer.alloc(0));
  return Uint8Array.from(
    Buffer.concat([Buffer.from(kind), number(isLong ? 0xffffffff : Number(fileLength), 4), content]),
  );
}
