import type { Codec, DatasetItem } from '../codec/codec.js';
import { fillCodebooks } from '../policy/nar.js';
import type { Policy } from '../policy/policy.js';

/** Turns codebook 0 of a completion into sound: the non-autoregressive partner writes the other codebooks, the codec decodes all. */
export async function synthesize(
  { nar, codec, signal }: { nar: Policy; codec: Codec; signal?: AbortSignal },
  item: DatasetItem,
  codebook0: number[],
): Promise<{ samples: Float32Array; sampleRateHz: number }> {
  const [codes] = await fillCodebooks(
    nar,
    [{ instruction: item.instruction, source: item.src_encodec, codebook0 }],
    signal,
  );
  return { samples: await codec.decode([codebook0, ...codes]), sampleRateHz: codec.sampleRateHz };
}
