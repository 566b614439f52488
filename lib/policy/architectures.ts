/** The architectures there are; a further one is named here. */
import { z } from 'zod';
import { readConfig } from '../checkpoint/config-json.js';
import type { Architecture, ModelConfig } from './architecture.js';
import { bart } from './bart/bart.js';

/** What `loadPolicy` and `loadPretrained` know unless they are given others. */
export const ARCHITECTURES: readonly Architecture[] = [bart];

/**
 * Reads a config.json: its model_type says of which of the `known` architectures it is.
 *
 * @throws Error with one sentence when it is of none, or its architecture refuses it
 */
export async function readModelConfig<Config extends ModelConfig>(
  file: string,
  known: readonly Architecture<Config>[],
): Promise<{ architecture: Architecture<Config>; config: Config }> {
  let architecture: Architecture<Config> | undefined;
  const config = await readConfig(file, (content) => {
    architecture = architectureOf(content, file, known);
    return architecture.parseConfig(content, file);
  });
  return { architecture: architecture!, config };
}

/** The architecture that the content of a config.json names. @throws Error as `readModelConfig` does */
export function architectureOf<Config extends ModelConfig>(
  content: unknown,
  file: string,
  known: readonly Architecture<Config>[],
): Architecture<Config> {
  const parsed = z.looseObject({ model_type: z.string() }).safeParse(content);
  if (!parsed.success) {
    const readable = known.map(({ title, modelType }) => `a ${title} (model_type "${modelType}")`);
    throw new Error(
      `${file} has no model_type: speech-dpo reads the config.json of ${readable.join(' or ')}.`,
    );
  }
  const { model_type: modelType } = parsed.data;
  const architecture = known.find((each) => each.modelType === modelType);
  if (!architecture) {
    const readable = known.map((each) => `${each.title} (model_type '${each.modelType}')`);
    throw new Error(
      `config.json of model_type '${modelType}' (${file}): speech-dpo reads ${readable.join(' and ')}.`,
    );
  }
  return architecture;
}
