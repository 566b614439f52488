import { allFinite } from '../finite.js';
import type { Codec, Codes } from '../codec/codec.js';
import type { Partner } from '../policy/partner.js';

/** Codebook 0 of a completion and the prompt it answers. */
export interface Completion {
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
  completions: readonly Completion[],
): Promise<Float32Array[]> {
  const items = completions.map(({ item, codes }) => ({
    instruction: item.instruction,
    source: item.src_encodec,
    codebook0: codes,
  }));
  const filled = await partner.fill(items, signal);
  signal?.throwIfAborted();
  const waveforms = await Promise.all(
    completions.map(({ codes }, index) => codec.decode([codes, ...filled[index]])),
  );
  if (!waveforms.every(allFinite))
    throw new Error('the codec makes sound with samples that are not finite numbers: check its weights');
  return waveforms;
}
