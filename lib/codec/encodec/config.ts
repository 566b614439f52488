import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile } from '../../checkpoint/json-file.js';

/** Beyond any EnCodec, and little enough that a damaged file cannot fill the memory. */
const count = z
  .int()
  .positive()
  .max(2 ** 20);
const layers = count.max(64);

/**
 * config.json of transformers' EncodecModel. Defaults are transformers' own, which are those of facebook/encodec_24khz. Literals are what
 * this implementation computes: one channel, causal, weight norm, the whole recording as one chunk (not the 48 kHz model).
 */
const configSchema = z.object({
  model_type: z.literal('encodec'),
  sampling_rate: count.default(24_000),
  audio_channels: z.literal(1).default(1),
  normalize: z.literal(false).default(false),
  chunk_length_s: z.null().default(null),
  norm_type: z.literal('weight_norm').default('weight_norm'),
  use_causal_conv: z.literal(true).default(true),
  trim_right_ratio: z.literal(1).default(1),
  pad_mode: z.enum(['reflect', 'constant']).default('reflect'),
  /** kbit/s. */
  target_bandwidths: z.array(z.number().positive().max(1000)).min(1).default([1.5, 3, 6, 12, 24]),
  codebook_size: count.default(1024),
  codebook_dim: count.nullish(),
  hidden_size: count.default(128),
  num_filters: count.default(32),
  num_residual_layers: layers.default(1),
  num_lstm_layers: layers.default(2),
  upsampling_ratios: z.array(count).min(1).max(16).default([8, 5, 4, 2]),
  kernel_size: count.default(7),
  last_kernel_size: count.default(7),
  residual_kernel_size: count.default(3),
  dilation_growth_rate: count.default(2),
  compress: count.default(2),
  use_conv_shortcut: z.boolean().default(true),
});

export type EncodecConfig = z.infer<typeof configSchema>;

/** @throws Error naming the key when the model is no EnCodec, or one that is not computed here */
export async function readEncodecConfig(folder: string): Promise<EncodecConfig> {
  const file = join(folder, 'config.json');
  const parsed = configSchema.safeParse(await readJsonFile(file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(
      `${file} is not of an EnCodec like facebook/encodec_24khz: ${issue.path.join('.')}: ${issue.message}.`,
    );
  }
  const config = parsed.data;
  if ((config.codebook_dim ?? config.hidden_size) !== config.hidden_size) {
    throw new Error(
      `${file}: codebook_dim ${config.codebook_dim} must equal hidden_size ${config.hidden_size}.`,
    );
  }
  return config;
}

/** Samples a frame of codes stands for. */
export function samplesPerFrame({ upsampling_ratios: ratios }: EncodecConfig): number {
  return ratios.reduce((product, ratio) => product * ratio, 1);
}

/** In kbit/s: the one that the research code's data was made at, 6, or where the model has no such its largest. */
export function defaultBandwidth({ target_bandwidths: bandwidths }: EncodecConfig): number {
  return bandwidths.includes(6) ? 6 : Math.max(...bandwidths);
}

/**
 * How many codebooks a bandwidth pays for (transformers' get_num_quantizers_for_bandwidth): 8 at 6 kbit/s for the 24 kHz model. A model has
 * as many codebooks as its last bandwidth pays for when a code takes whole bits. transformers 4.44.2 counted 10 bits for a code of any
 * size; where that gave fewer codebooks, checkpoints of its time have fewer, and all of them are used.
 *
 * @param layers how many the checkpoint has
 * @param name stands for the model in error messages
 * @throws Error when the model was not trained for the bandwidth, or the checkpoint has fewer than either way of counting gives
 */
export function codebooksForBandwidth(
  config: EncodecConfig,
  bandwidthKbps: number,
  layers: number,
  name: string,
): number {
  if (!config.target_bandwidths.includes(bandwidthKbps)) {
    throw new Error(
      `${name} has no bandwidth of ${bandwidthKbps} kbit/s; choose one of ${config.target_bandwidths.join(', ')}.`,
    );
  }
  const frameRateHz = Math.ceil(config.sampling_rate / samplesPerFrame(config));
  const bits = Math.log2(config.codebook_size);
  const affordable = (kbps: number, bitsPerCode: number): number =>
    Math.floor((kbps * 1000) / (bitsPerCode * frameRateHz));
  const top = config.target_bandwidths.at(-1)!;
  const wanted = Math.min(Math.max(1, affordable(bandwidthKbps, bits)), affordable(top, Math.ceil(bits)));
  if (layers >= wanted) return wanted;
  if (layers > 0 && layers === affordable(top, 10)) return layers;
  throw new Error(
    `${name}: ${bandwidthKbps} kbit/s takes ${wanted} codebooks of ${config.codebook_size}, but the weights hold ${layers}.`,
  );
}
