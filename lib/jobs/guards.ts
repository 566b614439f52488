/** The guards that come with the package: which of them a run has, and how each is opened, for a run as for its workers. */
import type { Codec } from '../codec/codec.js';
import type { Device } from '../engine/index.js';
import { guardNames, type GuardName } from '../farm/terms.js';
import type { OnNotice } from '../notice.js';
import { sentenceOf } from '../plain-error.js';
import type { Release } from '../release.js';
import { hearsWords, networksOf } from '../reward/built-in.js';
import {
  fidelityGuard,
  levelGuard,
  meaningOf,
  opinionGuard,
  voiceGuard,
  wordGuard,
  type Guard,
} from '../reward/guard.js';
import type { Parameters } from '../run/parameters.js';
import { openOpinionScorer } from '../scoring/opinion.js';
import { openTranscriber } from '../scoring/transcribe.js';
import { loadVoiceEncoder, VOICE_ENCODER_PLACE } from '../scoring/voice-encoder.js';
import { locateWeights } from '../scoring/weights-path.js';

export interface GuardOptions {
  /** Where networks score. */
  device: Device;
  /** The recognizer of the word error rate. */
  transcriber?: string | null;
  /** Ends a recognizer that is a process of its own. */
  signal?: AbortSignal;
  onNotice?: OnNotice;
}

/**
 * Opens the guards that a run has by its parameters.
 *
 * @param codec gives sources and targets back as it gives back the samples
 * @param opened is given what ends with them
 * @returns also a sentence for each guard that cannot be had
 */
export async function openGuards(
  parameters: Parameters,
  codec: Codec,
  options: GuardOptions,
  opened: Release[],
): Promise<{ guards: Guard[]; notices: string[] }> {
  const guards: Guard[] = [];
  const notices: string[] = [];
  for (const name of guardNames.filter((each) => isWanted(each, parameters))) {
    try {
      // A guard is no reason to download a file of 17 MB.
      if (name === 'similarity' && !locateWeights(VOICE_ENCODER_PLACE).isHere) continue;
      guards.push(await openGuard(name, codec, options, opened));
    } catch (error) {
      notices.push(`no guard by ${meaningOf(name).label}: ${sentenceOf(error)}`);
    }
  }
  return { guards, notices };
}

/** A network or a recognizer that samples are ranked by does not guard them as well; pairs alone need neither voices nor words. */
function isWanted(name: GuardName, parameters: Parameters): boolean {
  const { reward, guard, guardPairs } = parameters;
  switch (name) {
    case 'fidelity':
    case 'silence':
      return guard || guardPairs;
    case 'wer':
      return guard && !hearsWords(reward);
    default:
      return (guard || (guardPairs && name !== 'similarity')) && !networksOf(parameters).includes(name);
  }
}

/**
 * Opens one of them.
 *
 * @param opened is given what ends with it
 * @throws Error in one sentence that says what it lacks
 */
export async function openGuard(
  name: GuardName,
  codec: Codec | undefined,
  { device, transcriber, signal, onNotice }: GuardOptions,
  opened: Release[],
): Promise<Guard> {
  if (name === 'silence') return levelGuard;
  if (!codec) throw new TypeError(`the guard ${name} listens, and no codec is open`);
  if (name === 'fidelity') return fidelityGuard(codec);
  if (name === 'similarity')
    return voiceGuard(await loadVoiceEncoder(undefined, { device, onNotice }), codec);
  if (name !== 'wer') return opinionGuard(await openOpinionScorer(name, { device, onNotice }));
  // Unless one is named none is opened: it takes longer than all the rest.
  if (!transcriber) throw new Error('no recognizer is named (--transcriber or WHISPER_MODEL)');
  const { transcribe, dispose } = await openTranscriber({ model: transcriber, signal, onNotice });
  opened.push(() => dispose());
  return wordGuard(transcribe, codec);
}
