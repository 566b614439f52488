import { OPINION_LABELS, type OpinionScorer } from '../scoring/opinion.js';
import { isSilent } from '../scoring/silence.js';
import { UnscorableSample } from '../scoring/unscorable.js';
import { testSound } from './test-sound.js';
import { rewardOf, type Reward } from './reward.js';

/** The opinion score that a network predicts for the sample's audio. Silence, which NISQA gives 2.1, cannot be scored. */
export function mosReward(scorer: OpinionScorer): Reward {
  const reward = rewardOf('mos', OPINION_LABELS[scorer.model], async (sample) => {
    const recording = await sample.audio();
    if (isSilent(recording.samples, recording.sampleRateHz)) throw new UnscorableSample('it is silent');
    return scorer.score(recording);
  });
  const check = async () => {
    const score = await scorer.score(testSound());
    if (!Number.isFinite(score))
      throw new Error(
        `${scorer.model.toUpperCase()} gives ${score} to a test sound: its weights are damaged, or the device computes wrongly`,
      );
  };
  return { ...reward, check };
}
