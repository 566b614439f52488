import { allFinite } from '../finite.js';
import type { Codec, Codes } from '../codec/codec.js';
import type { Partner } from '../policy/partner.js';

/** Codebook 0 of a completion and the prompt it answers. */
export interface ItemCompletion {
  item: { src_encodec: Codes; instruction: string };
  codes: number[];
}

/**
 * Turns completions into sound: the non-autoregressive partner writes the other codebooks, the codec decodes all.
 *
 * @returns mono samples at the codec's rate, one array per completion
 * @throws Error when codec and partner make something that is no sound, which is no completion's fault
 */
export async function synthesize(
  { partner, codec, signal }: { partner: Partner; codec: Codec; signal?: AbortSignal },
  completions: readonly ItemCompletion[],
): Promise<Float32Array[]> {
  const codes = await writeCodes(partner, completions, signal);
  signal?.throwIfAborted();
  return decodeCodes(codec, codes);
}

/** The first half of {@link synthesize}: all codebooks of every completion. */
export async function writeCodes(
  partner: Partner,
  completions: readonly ItemCompletion[],
  signal?: AbortSignal,
): Promise<Codes[]> {
  const items = completions.map(({ item, codes }) => ({
    instruction: item.instruction,
    source: item.src_encodec,
    codebook0: codes,
  }));
  const filled = await partner.fill(items, signal);
  return completions.map(({ codes }, index) => [codes, ...filled[index]]);
}

/** The second half of {@link synthesize}. */
export async function decodeCodes(codec: Codec, codes: readonly Codes[]): Promise<Float32Array[]> {
  const waveforms = await Promise.all(codes.map((each) => codec.decode(each)));
  if (!waveforms.every(allFinite))
    throw new Error('the codec makes sound with samples that are not finite numbers: check its weights');
  return waveforms;
}
