import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import type { FeatureScale } from '../../lib/codec/spectral/features.js';
import { requireFile } from '../program.js';

export const CODEBOOKS_FILE = '.cache/default/codebooks.safetensors';

/** What codebooks.js wrote: the feature scale and the codebooks, each [codebookSize, FEATURES]. */
export async function readCodebooks(): Promise<{ scale: FeatureScale; codebooks: Float32Array[] }> {
  requireFile(CODEBOOKS_FILE, 'node dist/recipes/default/codebooks.js');
  const tensors = await readSafetensors(CODEBOOKS_FILE);
  const read = (name: string): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor?.dtype !== 'float32')
      throw new Error(`${CODEBOOKS_FILE} has no "${name}"; run codebooks.js first.`);
    return tensor.data;
  };
  const stages = [...tensors.keys()].filter((name) => name.startsWith('codebooks.')).length;
  return {
    scale: {
      melMean: read('scale.mel_mean'),
      melDeviation: read('scale.mel_deviation')[0],
      logF0Mean: read('scale.log_f0_mean')[0],
    },
    codebooks: Array.from({ length: stages }, (_, stage) => read(`codebooks.${stage}`)),
  };
}
