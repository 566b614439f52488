import type { DatasetItem } from '../data/item.js';
import { remember } from '../remember.js';
import { UnscorableSample } from '../scoring/unscorable.js';
import { normalizedWords } from '../scoring/wer.js';
import type { Decoder } from './decoder.js';

/** Hears a mono recording: the words that are said in it. */
export type Transcribe = (samples: Float32Array, sampleRateHz: number) => Promise<string>;

/**
 * Says of an item which words are spoken: its text, or else what the recognizer hears in its source as the codec gives it back. Prompts
 * come again in every evaluation; what is heard in one is kept.
 *
 * @param codec is asked for when the first item without a text comes
 * @throws UnscorableSample for an item without words, of which no share can be wrong
 */
export function spokenWords(
  transcribe: Transcribe,
  codec: () => Decoder,
): (item: DatasetItem) => Promise<string> {
  const heard = new Map<DatasetItem, Promise<string>>();
  const hear = (item: DatasetItem) =>
    remember(heard, item, async () => {
      const { decode, sampleRateHz } = codec();
      return transcribe(await decode(item.src_encodec), sampleRateHz);
    });
  return async (item) => {
    const spoken = item.text ?? (await hear(item));
    if (normalizedWords(spoken).length > 0) return spoken;
    throw new UnscorableSample(
      item.text === undefined
        ? 'the dataset has no text for it, and the recognizer hears no words in the source'
        : `its text, "${item.text}", has no words`,
    );
  };
}
