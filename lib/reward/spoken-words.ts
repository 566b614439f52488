import type { DatasetItem } from '../data/item.js';
import { remember } from '../remember.js';
import type { Decoder } from './decoder.js';

/** Hears a mono recording: the words that are said in it. */
export type Transcribe = (samples: Float32Array, sampleRateHz: number) => Promise<string>;

/**
 * Says of an item which words are spoken: its text, or else what the recognizer hears in its source as the codec gives it back. Prompts
 * come again in every evaluation; what is heard in one is kept.
 *
 * @param codec is asked for when the first item without a text comes
 */
export function spokenWords(
  transcribe: Transcribe,
  codec: () => Decoder,
): (item: DatasetItem) => Promise<string> {
  const heard = new Map<DatasetItem, Promise<string>>();
  return async (item) =>
    item.text ??
    remember(heard, item, async () => {
      const { decode, sampleRateHz } = codec();
      return transcribe(await decode(item.src_encodec), sampleRateHz);
    });
}
