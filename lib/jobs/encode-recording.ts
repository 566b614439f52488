import { convertCommand } from '../audio/other-formats.js';
import { canResample, resample } from '../audio/resample.js';
import { toMono, type Recording } from '../audio/wav.js';
import type { Codec, Codes } from '../codec/codec.js';

/**
 * Codes of a person's recording, mixed to mono and resampled to the codec's rate.
 *
 * @param file the recording's, for messages
 * @throws Error naming the file when it is empty, or its rate cannot be changed to the codec's
 */
export async function encodeRecording(recording: Recording, file: string, codec: Codec): Promise<Codes> {
  const { sampleRateHz } = recording;
  if (!canResample(sampleRateHz, codec.sampleRateHz))
    throw new Error(
      `${file}: its sample rate of ${sampleRateHz} Hz cannot be changed to the codec's ${codec.sampleRateHz} Hz; convert it with: ${convertCommand(file, codec.sampleRateHz)}`,
    );
  const codes = await codec.encode(resample(toMono(recording), sampleRateHz, codec.sampleRateHz));
  if (codes[0].length === 0) throw new Error(`${file} is empty: it has no samples.`);
  return codes;
}
