/** Who says which phrase, and where the recording is kept. */
import { join, resolve } from 'node:path';
import { makePhrases } from './phrases.js';

export const SPEECH_FOLDER = resolve('.cache/default/speech');

export const VOICES = ['slt', 'rms', 'awb'] as const;
export type Voice = (typeof VOICES)[number];

/** One phrase to speak: its place in `makePhrases`, and who says it. */
export interface Utterance {
  index: number;
  text: string;
  voice: Voice;
}

export function speechFile({ voice, index }: Utterance): string {
  return join(SPEECH_FOLDER, `${voice}_${String(index).padStart(5, '0')}.wav`);
}

/** `phraseCount` phrases, each by `voicesPerPhrase` of the voices; voices take turns. */
export function listUtterances(phraseCount: number, voicesPerPhrase: number): Utterance[] {
  const phrases = makePhrases(phraseCount);
  return Array.from({ length: voicesPerPhrase }, (_, turn) =>
    phrases.map((text, index) => ({ index, text, voice: VOICES[(index + turn) % VOICES.length]! })),
  ).flat();
}
