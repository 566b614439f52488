import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import type { MonoRecording } from '../audio/wav.js';
import { loadDnsmos } from './dnsmos/dnsmos.js';
import { loadNisqa, loadNisqaMosOnly, loadNisqaTts } from './nisqa/nisqa.js';

/** Networks that predict a mean opinion score without a reference recording, of which each may be the reward of `mos`. */
export const opinionModels = ['nisqa', 'dnsmos', 'nisqa-mos-only'] as const;
export type OpinionModel = (typeof opinionModels)[number];

/** Those that guard what is not trained on them. */
export const guardModels = ['nisqa', 'dnsmos'] as const;
export type GuardModel = (typeof guardModels)[number];

/** All of them; `naturalness` is NISQA-TTS, for synthesized speech. */
export type OpinionNetwork = OpinionModel | 'naturalness';

export const OPINION_LABELS: Record<OpinionNetwork, string> = {
  nisqa: 'NISQA MOS (1 to 5)',
  dnsmos: 'DNSMOS OVRL (1 to 5)',
  'nisqa-mos-only': 'NISQA MOS of the mos-only network (1 to 5)',
  naturalness: 'NISQA-TTS naturalness (1 to 5)',
};

/** One opinion score of a mono recording. */
export interface OpinionScorer<Network extends OpinionNetwork = GuardModel> {
  readonly model: Network;
  /** @throws UnscorableSample saying why the recording cannot be scored */
  score(recording: MonoRecording): Promise<number>;
  /** Frees the network, and the devices that were opened for it. */
  dispose(): Promise<void>;
}

const NISQA_LOADERS: Record<Exclude<OpinionNetwork, 'dnsmos'>, typeof loadNisqaTts> = {
  nisqa: loadNisqa,
  'nisqa-mos-only': loadNisqaMosOnly,
  naturalness: loadNisqaTts,
};

/**
 * Opens a network of NISQA (its score `mos`) or DNSMOS (its OVRL, see `Dnsmos.scoreOverall`).
 *
 * @param options.device runs the network; default: one or more of the scorer's own, which `dispose` closes
 * @param options.onNotice is told of a download, with the licence
 * @throws Error when the weights are not at hand, saying how to provide them
 */
export async function openOpinionScorer<Network extends OpinionNetwork>(
  model: Network,
  options: { device?: Device; onNotice?: OnNotice } = {},
): Promise<OpinionScorer<Network>> {
  if (model !== 'dnsmos') {
    const nisqa = await NISQA_LOADERS[model as keyof typeof NISQA_LOADERS](undefined, options);
    return {
      model,
      score: async ({ samples, sampleRateHz }) => (await nisqa.score(samples, sampleRateHz)).mos,
      dispose: () => nisqa.dispose(),
    };
  }
  const dnsmos = await loadDnsmos(undefined, options);
  return {
    model,
    score: ({ samples, sampleRateHz }) => dnsmos.scoreOverall(samples, sampleRateHz),
    dispose: () => dnsmos.dispose(),
  };
}
