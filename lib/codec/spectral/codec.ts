import type { Device } from '../../engine/index.js';
import { releaseAll } from '../../release.js';
import { checkCodes } from '../check-codes.js';
import type { Codec } from '../codec.js';
import { loadSpectralCodec, type SpectralCodecModel } from './checkpoint.js';
import { openSpectralDecoder } from './synthesis.js';
import { openEncoder } from './encoder.js';
import { SAMPLE_RATE_HZ, SAMPLES_PER_CODE } from './features.js';

/**
 * Opens the spectral codec in a folder (config.json, model.safetensors): 16 kHz mono speech as 50 frames of codes a second.
 * `encode` codes log-mel spectrum, pitch and voicing; `decode` turns them into magnitudes by a small network and finds a phase
 * by Griffin and Lim's algorithm. Both give the same result for the same input every time.
 *
 * @throws Error naming the file when the folder does not hold a spectral codec
 */
export async function openSpectralCodec(folder: string, device: Device): Promise<Codec> {
  return createSpectralCodec(await loadSpectralCodec(folder), device);
}

async function createSpectralCodec(model: SpectralCodecModel, device: Device): Promise<Codec> {
  const { codebooks, codebook_size: codebookSize } = model.config;
  const encoder = await openEncoder(model.scale, model.codebooks, device);
  const decoder = openSpectralDecoder(model, device);
  return {
    sampleRateHz: SAMPLE_RATE_HZ,
    frameRateHz: SAMPLE_RATE_HZ / SAMPLES_PER_CODE,
    codebooks,
    codebookSize,
    encode: (samples) => encoder.encode(samples),
    async decode(codes) {
      checkCodes(codes, codebooks, codebookSize);
      return codes[0].length === 0 ? new Float32Array(0) : decoder.decode(codes);
    },
    dispose: () => releaseAll([() => encoder.dispose(), () => decoder.dispose()]),
  };
}
