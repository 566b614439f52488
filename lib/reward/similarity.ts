import type { DatasetItem } from '../data/item.js';
import { remember } from '../remember.js';
import { UnscorableSample } from '../scoring/unscorable.js';
import { voiceSimilarity, type VoiceEncoder } from '../scoring/voice-encoder.js';
import type { Decoder } from './decoder.js';
import { heardOf } from './heard.js';
import { rewardOf, type Reward, type Sample } from './reward.js';

export const SIMILARITY_LABEL = 'speaker similarity to the source (0 to 1)';

/**
 * Compares a sample's voice with that of its source as the codec gives it back: the cosine of their embeddings, 0 to 1. Prompts come again in
 * every evaluation; the embedding of a source is kept.
 *
 * @param codec is asked for when the first sample comes
 * @throws UnscorableSample for a silent sample, or one whose source is silent
 */
export function compareVoices(
  { embed }: Pick<VoiceEncoder, 'embed'>,
  codec: () => Decoder,
): (sample: Sample) => Promise<number> {
  const sources = new Map<DatasetItem, Promise<Float32Array>>();
  const embedSource = async ({ src_encodec }: DatasetItem) => {
    const { decode, sampleRateHz } = codec();
    const samples = await decode(src_encodec);
    return embed({ samples, sampleRateHz }).catch((error: unknown) => {
      if (!(error instanceof UnscorableSample)) throw error;
      throw new UnscorableSample(`its source cannot be compared with: ${error.message}`);
    });
  };
  return async (sample) => {
    const voice = await embed(await heardOf(sample));
    const source = await remember(sources, sample.item, () => embedSource(sample.item));
    return voiceSimilarity(source, voice);
  };
}

/** How much the sample's voice is the source's; see {@link compareVoices}. */
export function similarityReward(encoder: Pick<VoiceEncoder, 'embed'>, codec: () => Decoder): Reward {
  return rewardOf('similarity', SIMILARITY_LABEL, compareVoices(encoder, codec));
}
