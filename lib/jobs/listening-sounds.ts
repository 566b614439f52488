import type { MonoRecording } from '../audio/wav.js';
import { synthesize, type ItemCompletion } from '../experiment/synthesize.js';
import type { OnNotice } from '../notice.js';
import type { Policy } from '../policy/policy.js';
import type { RunEvent } from '../run/events.js';
import type { ListeningPair } from '../run/listening.js';
import type { RecordedRun } from '../run/run-files.js';
import { openModel, type OpenDevice } from './open.js';

const COMPLETIONS_AT_ONCE = 16;

/** A pair before it has sound; item 0 and 1 are of the same prompt. */
export type SilentPair = [ItemCompletion, ItemCompletion];

/** A policy, and the run that tells its partner and codec. */
export interface OpenedPolicy {
  policy: Policy;
  run: RecordedRun;
  iteration: number;
}

interface Sounds {
  sound: MonoRecording;
  sourceSound: MonoRecording;
}

/** The sound of completions and of their prompts' recordings; none where a completion is longer than the partner's positions. */
export async function* soundsOf(
  { policy, run, iteration }: OpenedPolicy,
  completions: readonly ItemCompletion[],
  { device }: OpenDevice,
  { signal, onNotice }: { signal?: AbortSignal; onNotice?: OnNotice },
): AsyncGenerator<RunEvent, (Sounds | undefined)[]> {
  const { parameters } = run.record;
  await using model = await openModel(policy, parameters, { device, speaks: true, signal, onNotice });
  const { codec, partner } = model;
  const { sampleRateHz } = codec;
  const sources = new Map<ItemCompletion['item'], MonoRecording>();
  const sounds: (Sounds | undefined)[] = [];
  const total = completions.length;
  for (let start = 0; start < total; start += COMPLETIONS_AT_ONCE) {
    yield { type: 'progress', iteration, stage: 'decode', done: start, total };
    const part = completions.slice(start, start + COMPLETIONS_AT_ONCE);
    const speakable = part.filter(({ codes }) => codes.length <= partner.maxFrames);
    const waveforms = await synthesize({ partner, codec, signal }, speakable);
    for (const { item } of speakable) {
      if (!sources.has(item))
        sources.set(item, { samples: await codec.decode(item.src_encodec), sampleRateHz });
    }
    for (const completion of part) {
      const i = speakable.indexOf(completion);
      const sourceSound = sources.get(completion.item);
      sounds.push(
        sourceSound && i >= 0 ? { sound: { samples: waveforms[i], sampleRateHz }, sourceSound } : undefined,
      );
    }
  }
  yield { type: 'progress', iteration, stage: 'decode', done: total, total };
  return sounds;
}

/**
 * The pairs with their sound, as far as both sides have one.
 *
 * @param sounds of all first and of all second sides
 * @throws Error where none is left
 */
export function audible(
  pairs: readonly SilentPair[],
  [first, second]: readonly (Sounds | undefined)[][],
  { pairs: wanted, onNotice }: { pairs: number; onNotice?: OnNotice },
): ListeningPair[] {
  const heard = pairs.flatMap(([a, b], i): ListeningPair[] => {
    const [soundA, soundB] = [first[i], second[i]];
    if (!soundA || !soundB) return [];
    const { instruction, src_encodec } = a.item;
    const samples: ListeningPair['samples'] = [
      { codes: a.codes, sound: soundA.sound },
      { codes: b.codes, sound: soundB.sound },
    ];
    return [{ instruction, source: src_encodec[0], sourceSound: soundA.sourceSound, samples }];
  });
  if (heard.length === 0) throw new Error('no prompt has two different samples that can be heard');
  if (heard.length < wanted)
    onNotice?.(
      `the page has ${heard.length} of the ${wanted} pairs that you asked for: no other pair has two different samples that can be heard`,
    );
  return heard;
}
