import { OPINION_LABELS, type OpinionModel, type OpinionScorer } from '../scoring/opinion.js';
import { heardOf } from './heard.js';
import { rewardOf, type Reward } from './reward.js';

/** The opinion score that a network predicts for the sample's audio. Silence, which NISQA gives 2.1, cannot be scored. */
export function mosReward(scorer: OpinionScorer<OpinionModel>): Reward {
  return rewardOf('mos', OPINION_LABELS[scorer.model], async (sample) => scorer.score(await heardOf(sample)));
}

/** How natural NISQA-TTS predicts that listeners would find the sample. Silence cannot be scored. */
export function naturalnessReward(scorer: OpinionScorer<'naturalness'>): Reward {
  const label = OPINION_LABELS.naturalness;
  return rewardOf('naturalness', label, async (sample) => scorer.score(await heardOf(sample)));
}
