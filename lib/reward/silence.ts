import { measureLevel } from '../scoring/silence.js';
import { rewardOf } from './reward.js';

/** Share of the sample's 20 ms frames that sound: at -60 dB relative to full scale or louder. */
export const silenceReward = rewardOf('silence', 'frames that sound (0 to 1)', async (sample) => {
  const { samples, sampleRateHz } = await sample.audio();
  return 1 - measureLevel(samples, sampleRateHz).silentShare;
});
