/** The spectral codec on disk: config.json and model.safetensors in one folder. */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../checkpoint/atomic.js';
import { readJsonFile } from '../../checkpoint/json-file.js';
import type { FloatTensor } from '../../engine/host-tensor.js';
import { readSafetensors, writeSafetensors } from '../../checkpoint/safetensors.js';
import { decoderShapes } from './decoder.js';
import { FEATURES, MEL_BANDS, SAMPLE_RATE_HZ, SAMPLES_PER_CODE, type FeatureScale } from './features.js';
import { BINS } from './stft-graph.js';

/** Beyond any codec, and little enough that a damaged file cannot fill the memory. */
const count = z
  .int()
  .positive()
  .max(2 ** 16);

const configSchema = z.strictObject({
  model_type: z.literal('spectral-codec'),
  sample_rate_hz: z.literal(SAMPLE_RATE_HZ),
  frame_rate_hz: z.literal(SAMPLE_RATE_HZ / SAMPLES_PER_CODE),
  codebooks: count,
  codebook_size: count,
  griffin_lim_iterations: count,
  decoder: z.strictObject({
    width: count,
    slowBlocks: count,
    fastBlocks: count,
    kernel: count.refine((kernel) => kernel % 2 === 1, 'must be odd'),
    expansion: count,
    bins: z.literal(BINS),
  }),
});

export type SpectralCodecConfig = z.infer<typeof configSchema>;

export interface SpectralCodecModel {
  config: SpectralCodecConfig;
  scale: FeatureScale;
  /** Each [codebook_size, FEATURES], row-major. */
  codebooks: Float32Array[];
  /** By the names of `decoderShapes`. */
  decoder: Map<string, FloatTensor>;
}

const MEL_MEAN = 'scale.mel_mean';
const MEL_DEVIATION = 'scale.mel_deviation';
const LOG_F0_MEAN = 'scale.log_f0_mean';
const codebookName = (index: number): string => `codebooks.${index}`;
const decoderName = (name: string): string => `decoder.${name}`;

/** @throws Error naming the file when it is missing, not a spectral codec, or lacks a tensor of the right shape */
export async function loadSpectralCodec(folder: string): Promise<SpectralCodecModel> {
  const configFile = join(folder, 'config.json');
  const parsed = configSchema.safeParse(await readJsonFile(configFile));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${configFile} is not a spectral codec's: ${issue.path.join('.')} ${issue.message}.`);
  }
  const config = parsed.data;
  const file = join(folder, 'model.safetensors');
  const tensors = await readSafetensors(file);
  const take = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor?.dtype !== 'float32' || tensor.shape.join() !== shape.join()) {
      const found = tensor ? `${tensor.dtype} [${tensor.shape.join(', ')}]` : 'nothing';
      throw new Error(`${file}: "${name}" must be float [${shape.join(', ')}], found ${found}.`);
    }
    return tensor.data;
  };
  const decoder = [...decoderShapes(config.decoder)].map(([name, shape]): [string, FloatTensor] => [
    name,
    { shape, dtype: 'float32', data: take(decoderName(name), shape) },
  ]);
  return {
    config,
    scale: {
      melMean: take(MEL_MEAN, [MEL_BANDS]),
      melDeviation: take(MEL_DEVIATION, [1])[0],
      logF0Mean: take(LOG_F0_MEAN, [1])[0],
    },
    codebooks: Array.from({ length: config.codebooks }, (_, i) =>
      take(codebookName(i), [config.codebook_size, FEATURES]),
    ),
    decoder: new Map(decoder),
  };
}

/** Writes what `loadSpectralCodec` reads; weights as float16. */
export async function saveSpectralCodec(folder: string, model: SpectralCodecModel): Promise<void> {
  const { config, scale, codebooks, decoder } = model;
  const float = (data: Float32Array, shape: number[]): FloatTensor => ({ data, shape, dtype: 'float32' });
  const tensors = new Map<string, FloatTensor>([
    [MEL_MEAN, float(scale.melMean, [MEL_BANDS])],
    [MEL_DEVIATION, float(Float32Array.of(scale.melDeviation), [1])],
    [LOG_F0_MEAN, float(Float32Array.of(scale.logF0Mean), [1])],
    ...codebooks.map((data, i): [string, FloatTensor] => [
      codebookName(i),
      float(data, [config.codebook_size, FEATURES]),
    ]),
    ...[...decoder].map(([name, tensor]): [string, FloatTensor] => [decoderName(name), tensor]),
  ]);
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { dtype: 'float16' });
  await writeFileAtomic(join(folder, 'config.json'), JSON.stringify(config, null, 2) + '\n');
}
