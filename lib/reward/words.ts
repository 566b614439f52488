import { characterErrorRate, wordErrors } from '../scoring/wer.js';
import type { Decoder } from './decoder.js';
import { rewardOf, type Reward } from './reward.js';
import { spokenWords, type Transcribe } from './spoken-words.js';

/** Rewards that compare what a recognizer hears with what was to be said. */
export const wordRewards = ['wer', 'cer'] as const;
export type WordReward = (typeof wordRewards)[number];

export const WORD_REWARD_LABELS: Record<WordReward, string> = {
  wer: 'words heard right (1 - WER, 0 to 1)',
  cer: 'characters heard right (1 - CER, 0 to 1)',
};

export function isWordReward(name: string): name is WordReward {
  return wordRewards.some((each) => each === name);
}

/**
 * 1 - min(1, error rate): 1 where the recognizer hears every word (`wer`) or character (`cer`) as it was to be said, 0 where as many or more
 * are wrong as there are. What was to be said is the item's text, or else what the recognizer hears in its source. The details `wer` and `cer`
 * are the error rates themselves, which insertions take above 1. A silent sample says nothing, and has an error rate of 1.
 *
 * Error rates as rewards: Koel-TTS (Hussain et al. 2025), with character errors clipped at 1.
 *
 * @param codec is asked for when the first item without a text comes
 */
export function wordReward(name: WordReward, transcribe: Transcribe, codec: () => Decoder): Reward {
  const wordsOf = spokenWords(transcribe, codec);
  return rewardOf(name, WORD_REWARD_LABELS[name], async (sample) => {
    const spoken = await wordsOf(sample.item);
    const { samples, sampleRateHz } = await sample.audio();
    const heard = await transcribe(samples, sampleRateHz);
    const details = { wer: wordErrors(spoken, heard).wer, cer: characterErrorRate(spoken, heard) };
    return { reward: 1 - Math.min(1, details[name]), details };
  });
}
