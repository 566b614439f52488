import {
  OPINION_LABELS,
  type OpinionModel,
  type OpinionNetwork,
  type OpinionScorer,
} from '../scoring/opinion.js';
import { heardOf } from './heard.js';
import { rewardOf, type Reward, type Sample } from './reward.js';
import { testSound } from './test-sound.js';

/** The opinion score that a network predicts for the sample's audio. Silence, which NISQA gives 2.1, cannot be scored. */
export function mosReward(scorer: OpinionScorer<OpinionModel>): Reward {
  return opinionReward('mos', scorer);
}

/** How natural NISQA-TTS predicts that listeners would find the sample. Silence cannot be scored. */
export function naturalnessReward(scorer: OpinionScorer<'naturalness'>): Reward {
  return opinionReward('naturalness', scorer);
}

function opinionReward(name: string, scorer: OpinionScorer<OpinionNetwork>): Reward {
  const score = async (sample: Sample) => scorer.score(await heardOf(sample));
  const check = async () => {
    const found = await scorer.score(testSound());
    if (!Number.isFinite(found))
      throw new Error(
        `${scorer.model.toUpperCase()} gives ${found} to a test sound: its weights are damaged, or the device computes wrongly`,
      );
  };
  return { ...rewardOf(name, OPINION_LABELS[scorer.model], score), check };
}
