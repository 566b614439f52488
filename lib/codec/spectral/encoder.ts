import { requireFinite } from '../../audio/finite.js';
import { compile, type Device } from '../../engine/index.js';
import type { Codes } from '../codec.js';
import { analyse, FEATURES, scaleFeatures, type FeatureScale } from './features.js';
import { quantize } from '../quantizer.js';

export interface Encoder {
  /** Mono samples at 16 kHz to codes, ceil(samples / 320) of them in each codebook. */
  encode(samples: Float32Array): Promise<Codes>;
  dispose(): Promise<void>;
}

/** Frames are coded independently of each other, so any length is cut into chunks of one compiled size. */
const CHUNK = 128;

/** @param codebooks each [codebookSize, FEATURES], row-major */
export async function openEncoder(
  scale: FeatureScale,
  codebooks: readonly Float32Array[],
  device: Device,
): Promise<Encoder> {
  const names = codebooks.map((_, i) => `codebook${i}`);
  const program = await compile(
    ({ features, ...entries }) => ({
      codes: quantize(
        features,
        names.map((name) => entries[name]),
      ),
    }),
    { features: { shape: [CHUNK, FEATURES], dtype: 'float32' } },
    {
      device,
      constants: Object.fromEntries(
        codebooks.map((data, i) => [names[i], { data, shape: [data.length / FEATURES, FEATURES] }]),
      ),
    },
  );
  return {
    async encode(samples) {
      requireFinite(samples);
      const features = scaleFeatures(analyse(samples), scale);
      const frames = features.length / FEATURES;
      const codes: Codes = codebooks.map(() => []);
      for (let start = 0; start < frames; start += CHUNK) {
        const chunk = new Float32Array(CHUNK * FEATURES);
        chunk.set(features.subarray(start * FEATURES, (start + CHUNK) * FEATURES));
        const { codes: found } = await program({ features: chunk });
        const used = Math.min(CHUNK, frames - start);
        codes.forEach((row, i) => row.push(...found.subarray(i * CHUNK, i * CHUNK + used)));
      }
      return codes;
    },
    dispose: () => program.dispose(),
  };
}
