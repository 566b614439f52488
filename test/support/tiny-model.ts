import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOGITS_BIAS } from '../../lib/policy/bart/weights.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { parseBartConfig } from '../../lib/policy/bart/config.js';
import { savePretrained } from '../../lib/policy/pretrained.js';
import { findPackageRoot } from '../../lib/package-root.js';
import { initializeWeights } from '../../lib/policy/bart/initialize.js';

/**
 * Writes a model folder that runs in moments: the default's codec, tokenizer and prompts, random policy and partner of width 8.
 *
 * @param positions of the partner; default: as many as the embedded one has
 */
export async function writeTinyModel(folder: string, positions?: number): Promise<void> {
  const model = join(findPackageRoot(), 'models', 'default');
  for (const part of ['policy', 'nar']) {
    const json = JSON.parse(await readFile(join(model, part, 'config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    const config = parseBartConfig(
      {
        ...json,
        d_model: 8,
        encoder_layers: 1,
        decoder_layers: 1,
        encoder_attention_heads: 2,
        decoder_attention_heads: 2,
        encoder_ffn_dim: 16,
        decoder_ffn_dim: 16,
        init_std: 0.3,
        ...(part === 'nar' && positions !== undefined && { max_position_embeddings: positions }),
      },
      part,
    );
    const weights = initializeWeights(config, 1);
    // Every sixth token or so ends a completion: those that are cut off are in no pair.
    weights.get(LOGITS_BIAS)!.data[config.eos_token_id] = 4;
    await savePretrained(join(folder, part), {
      architecture: bart,
      config,
      weights,
      copyTokenizerFrom: join(model, part),
    });
  }
  mkdirSync(join(folder, 'codec'));
  for (const name of readdirSync(join(model, 'codec')))
    copyFileSync(join(model, 'codec', name), join(folder, 'codec', name));
  copyFileSync(join(model, 'prompts.json'), join(folder, 'prompts.json'));
}
