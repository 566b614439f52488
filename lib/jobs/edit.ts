import { z } from 'zod';
import { encodeWav, readWav } from '../audio/wav.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { refuseToOverwrite } from '../checkpoint/files.js';
import { checkInstruction, longestSource, packPrompt } from '../policy/pack.js';
import { parametersSchema } from '../run/parameters.js';
import { checkpointRecord } from '../run/checkpoint-path.js';
import { encodeRecording } from './encode-recording.js';
import { openDevice, openModel, openPolicy, type GivenDevice } from './open.js';
import { checkPartnerReads } from './prompts.js';
import { refuseOwn } from './own-parts.js';
import type { ModelSources } from './sources.js';
import { synthesize } from '../experiment/synthesize.js';
import { describeIssues } from '../zod-message.js';
import type { OnNotice } from '../notice.js';
import { tellingFirst } from '../plain-error.js';

const samplingSchema = parametersSchema
  .pick({ seed: true, maxNewTokens: true })
  .extend({ temperature: z.number().min(0) });

/** Which recording is edited how, and by which model. */
export interface EditOptions extends Omit<ModelSources, 'model'>, GivenDevice {
  /** Model folder; "default" is the embedded one. Default: model, partner and codec of the run whose checkpoint `policy` names, else "default". */
  model?: string;
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
  /** Is told of downloads. */
  onNotice?: OnNotice;
}

/** Durations in seconds, and what ended the result. */
export interface Edited {
  sourceSeconds: number;
  resultSeconds: number;
  /** Absent where the policy ended the result itself. */
  cutBy?: 'maxNewTokens' | 'model';
}

/**
 * Edits a recording as an instruction says: encodes it, samples one completion of the policy, decodes that into `output` (WAV).
 *
 * @throws Error when there is an `output` already, the instruction is empty or too long, the recording cannot be read or is too long for the
 *   policy or the partner, or when the policy wrote nothing
 */
export const editRecording = tellingFirst(async function (options: EditOptions): Promise<Edited> {
  const { instruction, output, signal, onNotice, seed, temperature, maxNewTokens } = options;
  if (instruction.trim() === '')
    throw new Error('the instruction is empty: say what to do with the recording, as "Make it faster."');
  const checked = samplingSchema.safeParse({ seed, temperature, maxNewTokens });
  if (!checked.success) throw new Error(`wrong parameters: ${describeIssues(checked.error)}`);
  await refuseToOverwrite(output, options.overwrite);
  const recording = await readWav(options.wav);
  const sources = await sourcesOf(options);
  const policy = await openPolicy(sources, { signal, onNotice });
  checkInstruction(policy, instruction);
  await using opened = openDevice(options);
  await using model = await openModel(policy, sources, {
    device: opened.device,
    speaks: true,
    signal,
    onNotice,
  });
  const { partner, codec, sampler } = model;
  const sourceSeconds = recording.channels[0].length / recording.sampleRateHz;
  const limitSeconds =
    Math.min(longestSource(policy, instruction), partner.longestSource(instruction)) / codec.frameRateHz;
  if (sourceSeconds > limitSeconds)
    throw new Error(
      `${options.wav} lasts ${sourceSeconds.toFixed(2)} s, and with this instruction the model edits at most ${limitSeconds.toFixed(2)} s: cut the recording into shorter ones`,
    );
  const source = await encodeRecording(recording, options.wav, codec);
  const prompt = packPrompt(policy, instruction, source[0]);
  checkPartnerReads(partner, { instruction, src_encodec: source }, options.wav);
  // What the partner cannot write, nobody hears.
  const longest = Math.min(maxNewTokens, partner.maxFrames);
  const sampling = { samplesPerPrompt: 1, temperature, seed, maxNewTokens: longest, signal };
  let codes: number[] = [];
  let isFinished = false;
  for await (const event of sampler.sample([prompt], sampling)) {
    if (event.type === 'completion') ({ codes, finished: isFinished } = event);
  }
  if (codes.length === 0)
    throw new Error(`the policy wrote nothing for "${instruction}": try another --seed`);
  const item = { src_encodec: source, instruction };
  const [samples] = await synthesize({ partner, codec, signal }, [{ item, codes }]);
  // Another process may have written one meanwhile.
  await refuseToOverwrite(output, options.overwrite);
  await writeFileAtomic(output, encodeWav(samples, codec.sampleRateHz));
  const cutBy = codes.length === maxNewTokens ? 'maxNewTokens' : 'model';
  return {
    sourceSeconds,
    resultSeconds: samples.length / codec.sampleRateHz,
    ...(!isFinished && { cutBy }),
  };
});

/** @throws Error in one sentence where a run was given a codec of its own, and none is named in its place */
async function sourcesOf({ model, policy, nar, codec, int8 }: EditOptions): Promise<ModelSources> {
  const record = policy ? await checkpointRecord(policy) : undefined;
  if (record && !codec)
    refuseOwn(record, ['codec'], ': name one that reads its codes, as --codec (in a program: codec)');
  const recorded = model === undefined ? record?.parameters : undefined;
  return {
    model: model ?? recorded?.model ?? 'default',
    policy,
    nar: nar ?? recorded?.nar,
    codec: codec ?? recorded?.codec,
    int8,
  };
}
