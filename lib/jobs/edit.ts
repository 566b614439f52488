import { z } from 'zod';
import { encodeWav, readWav, toMono } from '../audio/wav.js';
import { resample } from '../audio/resample.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { refuseToOverwrite } from '../checkpoint/files.js';
import { CpuDevice } from '../engine/index.js';
import { openCodec } from '../codec/open.js';
import { packPrompt } from '../policy/pack.js';
import { openPartner } from '../policy/partner.js';
import { loadPolicy } from '../policy/policy.js';
import { openSampler } from '../policy/sample.js';
import { releaseAll } from '../release.js';
import { parametersSchema } from '../run/parameters.js';
import { checkSameCodes, findModelPart, type ModelSources } from './sources.js';
import { synthesize } from '../experiment/synthesize.js';
import { describeIssues } from '../zod-message.js';

const samplingSchema = parametersSchema
  .pick({ seed: true, maxNewTokens: true })
  .extend({ temperature: z.number().min(0) });

export interface EditOptions extends ModelSources {
  wav: string;
  instruction: string;
  output: string;
  /** Whether `output` may replace a file; default false. */
  overwrite?: boolean;
  seed: number;
  /** Divides the logits; 0 takes the likeliest token. */
  temperature: number;
  maxNewTokens: number;
  signal?: AbortSignal;
}

/**
 * Edits a recording as an instruction says: encodes it, samples one completion of the policy, decodes that into `output` (WAV).
 *
 * @returns durations in seconds of the recording and of the result
 * @throws Error when there is an `output` already, the recording cannot be read or is too long for the model, or when the policy wrote nothing
 */
export async function editRecording(
  options: EditOptions,
): Promise<{ sourceSeconds: number; resultSeconds: number }> {
  const { instruction, output, signal, seed, temperature, maxNewTokens } = options;
  const checked = samplingSchema.safeParse({ seed, temperature, maxNewTokens });
  if (!checked.success) throw new Error(`wrong parameters: ${describeIssues(checked.error)}`);
  await refuseToOverwrite(output, options.overwrite);
  const recording = await readWav(options.wav);
  const device = new CpuDevice();
  const policy = await loadPolicy(await findModelPart(options, 'policy', signal));
  const partnerModel = await loadPolicy(await findModelPart(options, 'nar', signal));
  const codec = await openCodec(await findModelPart(options, 'codec', signal), device);
  const partner = openPartner(partnerModel, device);
  const sampler = openSampler(policy, device);
  try {
    checkSameCodes(policy, partnerModel, codec);
    const mono = resample(toMono(recording), recording.sampleRateHz, codec.sampleRateHz);
    const source = await codec.encode(mono);
    if (source[0].length === 0) throw new Error(`${options.wav} is empty: it has no samples.`);
    const prompt = packPrompt(policy, instruction, source[0]);
    const sampling = { samplesPerPrompt: 1, temperature, topK: 0, topP: 1, seed, maxNewTokens, signal };
    let codes: number[] = [];
    for await (const event of sampler.sample([prompt], sampling)) {
      if (event.type === 'completion') ({ codes } = event);
    }
    if (codes.length === 0)
      throw new Error(`the policy wrote nothing for "${instruction}": try another --seed`);
    const item = { src_encodec: source, instruction };
    const [samples] = await synthesize({ partner, codec, signal }, [{ item, codes }]);
    await writeFileAtomic(output, encodeWav(samples, codec.sampleRateHz));
    return {
      sourceSeconds: mono.length / codec.sampleRateHz,
      resultSeconds: samples.length / codec.sampleRateHz,
    };
  } finally {
    await releaseAll([
      () => codec.dispose(),
      () => partner.dispose(),
      () => sampler.release(),
      () => device.close(),
    ]);
  }
}
