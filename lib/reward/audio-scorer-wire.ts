/**
 * What goes over the wire in version 1 of verl-omni's audio-scorer protocol: a question for each waveform, by POST, and its score.
 * https://github.com/verl-project/verl-omni, examples/grpo_trainer/qwen3_tts
 */
import { endianness } from 'node:os';
import { z } from 'zod';
import type { MonoRecording } from '../audio/wav.js';
import { allFinite } from '../finite.js';
import { describeIssues } from '../zod-message.js';

export const PROTOCOL_VERSION = '1';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const questionSchema = z.looseObject({
  protocol_version: z.literal(PROTOCOL_VERSION, `it must be "${PROTOCOL_VERSION}", the version spoken here`),
  /** Little-endian float32, mono. */
  waveform_f32_base64: z.base64('it is no base64'),
  num_samples: z.int().min(1),
  sample_rate: z.int().min(1),
  /** What is to be said. */
  prompt: z.string(),
  metadata: z.record(z.string(), z.unknown()).default({}),
});

/** A question about one waveform. */
export interface ScorerQuestion {
  recording: MonoRecording;
  /** The words that are to be said; empty where nobody knows them. */
  prompt: string;
  /** `id` names the prompt. */
  metadata: Readonly<Record<string, unknown>>;
}

/** The question as it is sent. */
export function encodeQuestion({ recording, prompt, metadata }: ScorerQuestion): object {
  const { samples, sampleRateHz } = recording;
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return {
    protocol_version: PROTOCOL_VERSION,
    waveform_f32_base64: littleEndian(bytes).toString('base64'),
    num_samples: samples.length,
    sample_rate: sampleRateHz,
    prompt,
    metadata,
  };
}

/** @throws Error in one sentence for what is no question of this version */
export function decodeQuestion(value: unknown): ScorerQuestion {
  const result = questionSchema.safeParse(value);
  if (!result.success) throw new Error(`this is no audio-scorer request: ${describeIssues(result.error)}`);
  const { waveform_f32_base64, num_samples, sample_rate, prompt, metadata } = result.data;
  const bytes = littleEndian(Buffer.from(waveform_f32_base64, 'base64'));
  if (bytes.length !== 4 * num_samples)
    throw new Error(
      `waveform_f32_base64 holds ${bytes.length} bytes, and num_samples says ${num_samples}: each sample is 4 bytes, a little-endian float32`,
    );
  const samples = new Float32Array(num_samples);
  new Uint8Array(samples.buffer).set(bytes);
  if (!allFinite(samples)) throw new Error('waveform_f32_base64 holds a sample that is NaN or infinite');
  return { recording: { samples, sampleRateHz: sample_rate }, prompt, metadata };
}

/** Bytes of float32 from this machine's order to the wire's, or back. */
function littleEndian(bytes: Buffer): Buffer {
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}

const answerSchema = z
  .looseObject({ score: z.number(), protocol_version: z.literal(PROTOCOL_VERSION).optional() })
  .catchall(scalar);

/** The score of a waveform, and further numbers beside it. */
export interface ScorerAnswer {
  score: number;
  details: Readonly<Record<string, number>>;
}

/**
 * Reads an answer. What is no number is left out.
 *
 * @throws Error in one sentence for what is no answer of this version: an error, no score, another version, something that is no scalar
 */
export function decodeAnswer(value: unknown): ScorerAnswer {
  if (typeof value === 'object' && value !== null && 'error' in value)
    throw new Error(`it says ${JSON.stringify(value.error).slice(0, 300)}`);
  const result = answerSchema.safeParse(value);
  if (!result.success) throw new Error(`it is no audio scorer's answer: ${describeIssues(result.error)}`);
  const { score, ...others } = result.data;
  const details = Object.entries(others).filter(([, each]) => typeof each === 'number');
  return { score, details: Object.fromEntries(details) as Record<string, number> };
}
