/** Who says which phrase, and where the recording is kept. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makePhrases } from './phrases.js';

export const SPEECH_FOLDER = resolve('.cache/default/speech');

const VOICES = ['slt', 'rms', 'awb'] as const;
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

/**
 * As {@link listUtterances}, once all of them are spoken.
 *
 * @throws Error in one sentence that says how to have the others spoken
 */
export function listSpoken(phraseCount: number, voicesPerPhrase: number): Utterance[] {
  const all = listUtterances(phraseCount, voicesPerPhrase);
  const missing = all.filter((utterance) => !existsSync(speechFile(utterance))).length;
  if (missing > 0)
    throw new Error(
      `${missing} of ${all.length} recordings are not in ${SPEECH_FOLDER}: run node dist/recipes/default/speech.js ${phraseCount} ${voicesPerPhrase} first.`,
    );
  return all;
}
