import type { MonoRecording } from '../audio/wav.js';
import { isSilent } from '../scoring/silence.js';
import { UnscorableSample } from '../scoring/unscorable.js';
import type { Sample } from './reward.js';

/**
 * The sample's audio, for networks that give silence a score as if it were speech.
 *
 * @throws UnscorableSample for a silent sample
 */
export async function heardOf(sample: Sample): Promise<MonoRecording> {
  const recording = await sample.audio();
  if (isSilent(recording.samples, recording.sampleRateHz)) throw new UnscorableSample('it is silent');
  return recording;
}
