import { remember } from '../remember.js';
import { compareTraits, measureTraits } from '../scoring/fidelity.js';
import type { OpinionScorer } from '../scoring/opinion.js';
import { measureLevel } from '../scoring/silence.js';
import type { VoiceEncoder } from '../scoring/voice-encoder.js';
import { wordErrors } from '../scoring/wer.js';
import type { DatasetItem } from '../data/item.js';
import type { Decoder } from './decoder.js';
import type { Sample } from './reward.js';
import { compareVoices } from './similarity.js';
import { spokenWords, type Transcribe } from './spoken-words.js';

interface FigureMeaning {
  label: string;
  /** A percentage is kept as a share from 0 to 1. */
  unit: 'score' | 'percent' | 'nats';
  /** None: neither is better in itself. */
  better?: 'higher' | 'lower';
  /** A mean that gets worse by more than this while the reward rises is worth a warning; none: only shown. */
  limit?: number;
  /** Counts in Pareto pairs. */
  inPairs?: true;
}

/** Everything that is measured beside the reward, in the order it is shown: of a sample's sound by a {@link Guard}, and of the policy by the loop. */
export const GUARD_FIGURES = {
  nisqa: { label: 'NISQA MOS', unit: 'score', better: 'higher', limit: 0.1, inPairs: true },
  dnsmos: { label: 'DNSMOS OVRL', unit: 'score', better: 'higher', limit: 0.1, inPairs: true },
  fidelity: { label: 'edit fidelity', unit: 'percent', better: 'higher', limit: 0.05, inPairs: true },
  duration: { label: 'fidelity of duration', unit: 'percent', better: 'higher' },
  level: { label: 'fidelity of level', unit: 'percent', better: 'higher' },
  pitch: { label: 'fidelity of pitch', unit: 'percent', better: 'higher' },
  similarity: { label: 'speaker similarity', unit: 'score', better: 'higher', limit: 0.05 },
  wer: { label: 'word error rate', unit: 'percent', better: 'lower', limit: 0.03 },
  silence: { label: 'silent frames', unit: 'percent', better: 'lower', limit: 0.05 },
  clipping: { label: 'clipped samples', unit: 'percent', better: 'lower' },
  kl: { label: 'KL to the original', unit: 'nats' },
  entropy: { label: 'entropy per token', unit: 'nats' },
} as const satisfies Record<string, FigureMeaning>;

/** A figure that is measured beside the reward, by its name in {@link GUARD_FIGURES}. */
export type GuardFigure = keyof typeof GUARD_FIGURES;
/** What was measured of one sample; a figure that could not be measured is absent. */
export type GuardFigures = Partial<Record<GuardFigure, number>>;

export const meaningOf = (figure: GuardFigure): FigureMeaning => GUARD_FIGURES[figure];

/** Measures of a sample what its reward does not see. A reward that rises while these fall is being hacked. */
export interface Guard {
  readonly figures: readonly GuardFigure[];
  /** @throws UnscorableSample saying why the sample cannot be measured; whatever else it throws stops the run */
  measure(sample: Sample): Promise<GuardFigures>;
}

/** The opinion score of a network that is not trained on. */
export function opinionGuard(scorer: OpinionScorer): Guard {
  return {
    figures: [scorer.model],
    async measure(sample) {
      return { [scorer.model]: await scorer.score(await sample.audio()) };
    },
  };
}

/**
 * How well the sample follows its instruction: its agreement with the target in duration, level and pitch, each 0 to 1. Source and target are
 * taken as the codec gives them back.
 */
export function fidelityGuard({ decode, sampleRateHz }: Decoder): Guard {
  const traits = oncePerItem(async ({ src_encodec, tgt_encodec }) => ({
    source: measureTraits(await decode(src_encodec), sampleRateHz),
    target: measureTraits(await decode(tgt_encodec), sampleRateHz),
  }));
  return {
    figures: ['fidelity', 'duration', 'level', 'pitch'],
    async measure(sample) {
      const { source, target } = await traits(sample.item);
      const { samples } = await sample.audio();
      const { share, ...parts } = compareTraits(source, target, measureTraits(samples, sampleRateHz));
      return { fidelity: share, ...parts };
    },
  };
}

/** How much the sample's voice is that of its source. */
export function voiceGuard(encoder: Pick<VoiceEncoder, 'embed'>, codec: Decoder): Guard {
  const compare = compareVoices(encoder, () => codec);
  return {
    figures: ['similarity'],
    async measure(sample) {
      return { similarity: await compare(sample) };
    },
  };
}

/** Shares of frames without sound and of samples cut off at their peak. */
export const levelGuard: Guard = {
  figures: ['silence', 'clipping'],
  async measure(sample) {
    const { samples, sampleRateHz } = await sample.audio();
    const { silentShare, clippedShare } = measureLevel(samples, sampleRateHz);
    return { silence: silentShare, clipping: clippedShare };
  },
};

/**
 * Share of words that a recognizer hears otherwise than they were spoken. What was spoken is the item's text, or else what the
 * recognizer hears in the source.
 */
export function wordGuard(transcribe: Transcribe, codec: Decoder): Guard {
  const wordsOf = spokenWords(transcribe, () => codec);
  return {
    figures: ['wer'],
    async measure(sample) {
      const { samples, sampleRateHz } = await sample.audio();
      const spoken = await wordsOf(sample.item);
      return { wer: wordErrors(spoken, await transcribe(samples, sampleRateHz)).wer };
    },
  };
}

/** Prompts come again in every evaluation; what is made of one is kept. */
function oncePerItem<T>(make: (item: DatasetItem) => Promise<T>): (item: DatasetItem) => Promise<T> {
  const made = new Map<DatasetItem, Promise<T>>();
  return (item) => remember(made, item, () => make(item));
}
