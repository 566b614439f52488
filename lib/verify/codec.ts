/** EnCodec against transformers: codes of a recording, and audio of those codes and of random ones. */
import { join } from 'node:path';
import type { Device } from '../engine/index.js';
import { openEncodec } from '../codec/encodec/codec.js';
import type { CodecGolden } from './golden.js';
import { largestDifference, row, type VerifyRow } from './rows.js';

const AUDIO_TOLERANCE = 1e-4;
/** Rounding may decide between two codes that are equally near. */
const CODE_TOLERANCE = 0.01;

/** @param directory holds the model in tiny_encodec/ */
export async function verifyCodec(
  directory: string,
  golden: CodecGolden,
  device: Device,
): Promise<VerifyRow[]> {
  const codec = await openEncodec(join(directory, 'tiny_encodec'), device, {
    bandwidthKbps: golden.bandwidth_kbps,
  });
  try {
    const codes = await codec.encode(Float32Array.from(golden.input));
    const decoded = await codec.decode(golden.codes);
    const random = await codec.decode(golden.random_codes);
    return [
      row('EnCodec codes, share that differs', shareOfDifferent(codes, golden.codes), CODE_TOLERANCE),
      largestDifference('EnCodec audio', decoded, golden.decoded, AUDIO_TOLERANCE),
      largestDifference('EnCodec audio of random codes', random, golden.random_decoded, AUDIO_TOLERANCE),
    ];
  } finally {
    await codec.dispose();
  }
}

/** Codes of other lengths differ entirely. */
function shareOfDifferent(actual: readonly number[][], expected: readonly number[][]): number {
  const [a, b] = [actual.flat(), expected.flat()];
  if (actual.length !== expected.length || a.length !== b.length) return 1;
  return a.filter((code, i) => code !== b[i]).length / a.length;
}
