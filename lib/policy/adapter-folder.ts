/** Adapters on disk as PEFT writes them: adapter_config.json, and adapter_model.safetensors or adapter_model.bin. */
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { configJson } from '../checkpoint/config-json.js';
import { exists } from '../checkpoint/files.js';
import { resolveSource } from '../checkpoint/hub.js';
import { readJsonFile } from '../checkpoint/json-file.js';
import { ADAPTER_CONFIG, chooseModelFiles } from '../checkpoint/model-files.js';
import { selectWeights, writeModelFolder } from '../checkpoint/pretrained.js';
import { writeSafetensors } from '../checkpoint/safetensors.js';
import { ADAPTER_FORMATS, readTensorFiles } from '../checkpoint/tensor-files.js';
import type { OnNotice } from '../notice.js';
import { resolveModelPart } from '../package-root.js';
import { sentenceOf } from '../plain-error.js';
import { describeIssues } from '../zod-message.js';
import type { Adapter, Model } from './architecture.js';
import { adapterShapes, adapterWeights, withAdapter } from './lora.js';

/** What PEFT puts before the names of a network's layers. */
const PREFIX = 'base_model.model.';

const none = z
  .unknown()
  .refine(
    (value) => value == null || (typeof value === 'object' && Object.keys(value).length === 0),
    'only null is computed here',
  );
const off = z.literal(false, 'only false is computed here').optional();

/** adapter_config.json of PEFT's `LoraConfig`. What would make another network of it must be off. */
const configSchema = z.looseObject({
  peft_type: z.literal('LORA', 'only LORA is computed here'),
  base_model_name_or_path: z.string().min(1).nullish(),
  revision: z.string().min(1).nullish(),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  target_modules: z.array(z.string().min(1), 'only a list of names is read here').min(1),
  bias: z.literal('none', 'only "none" is computed here').default('none'),
  fan_in_fan_out: off,
  use_dora: off,
  use_rslora: off,
  lora_bias: off,
  use_qalora: off,
  use_bdlora: none.optional(),
  alora_invocation_tokens: none.optional(),
  arrow_config: none.optional(),
  kasa_config: none.optional(),
  modules_to_save: none.optional(),
  rank_pattern: none.optional(),
  alpha_pattern: none.optional(),
  layers_to_transform: none.optional(),
  layer_replication: none.optional(),
  exclude_modules: none.optional(),
  target_parameters: none.optional(),
  trainable_token_indices: none.optional(),
});

/** How the base of an adapter is found. */
export interface BaseOptions {
  /** The base's folder, in place of the one that adapter_config.json names. */
  base?: string;
  signal?: AbortSignal;
  /** Is told of downloads. */
  onNotice?: OnNotice;
}

/** Whether a folder holds an adapter instead of a whole network. */
export async function isAdapterFolder(directory: string): Promise<boolean> {
  return exists(join(directory, ADAPTER_CONFIG));
}

/** @throws Error in one sentence when adapter_config.json is damaged, or asks for what is not computed here */
async function readAdapterConfig(directory: string): Promise<Adapter> {
  const file = join(directory, ADAPTER_CONFIG);
  const parsed = configSchema.safeParse(await readJsonFile(file));
  if (!parsed.success) throw new Error(`${file}: ${describeIssues(parsed.error)}.`);
  const { r, lora_alpha: alpha, target_modules: targets, base_model_name_or_path: name } = parsed.data;
  if (!name)
    throw new Error(
      `${file} does not say what it is an adapter of: write the folder or hub name of that model into base_model_name_or_path.`,
    );
  const { revision } = parsed.data;
  const isVersion = revision != null && !name.includes('@') && !(await exists(name));
  return { rank: r, alpha, targets, base: isVersion ? `${name}@${revision}` : name };
}

/**
 * The folder of the model that an adapter's folder names: "default" is the embedded policy; a path is taken from the working directory, as PEFT
 * does; a hub's name is downloaded.
 *
 * @throws Error in one sentence that says where the name stands when there is no such model
 */
export async function findBase(
  directory: string,
  { base: given, signal, onNotice }: BaseOptions = {},
): Promise<string> {
  if (given !== undefined) return given;
  const { base } = await readAdapterConfig(directory);
  if (base === 'default') return resolveModelPart(base, 'policy');
  const file = join(directory, ADAPTER_CONFIG);
  const folder = await resolveSource(base, {
    type: 'model',
    choose: chooseModelFiles,
    signal,
    onNotice,
  }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new Error(
      `${directory} is an adapter of ${base}, which cannot be had: ${sentenceOf(error)} If that model lies elsewhere, write its folder into base_model_name_or_path of ${file}.`,
      { cause: error },
    );
  });
  if (await isAdapterFolder(folder))
    throw new Error(
      `${directory} is an adapter of ${base}, which is an adapter itself: merge that first, as npx speech-dpo merge ${folder} --output FOLDER, and write FOLDER into base_model_name_or_path of ${file}.`,
    );
  return folder;
}

/**
 * The base with the adapter that a folder holds.
 *
 * @param base the model that the folder is an adapter of; an adapter that it has is replaced
 * @throws Error in one sentence naming the file or tensor that is missing, damaged, unexpected or of another shape
 */
export async function readAdapter<M extends Model>(directory: string, base: M): Promise<M> {
  const adapter = await readAdapterConfig(directory);
  const shapes = new Map([...adapterShapes(base, adapter)].map(([name, shape]) => [PREFIX + name, shape]));
  const title = 'LoRA adapter';
  const tensors = selectWeights(
    await readTensorFiles(directory, ADAPTER_FORMATS),
    { shapes, title, config: ADAPTER_CONFIG },
    directory,
  );
  const named = [...tensors].map(([name, tensor]) => [name.slice(PREFIX.length), tensor] as const);
  return withAdapter(base, adapter, new Map(named));
}

/**
 * Writes a model's adapter as PEFT does, float32, with tokenizer files and a manifest (SHA256SUMS); it appears complete or not at all.
 *
 * @throws as `writePretrained` does
 */
export async function writeAdapter(
  directory: string,
  model: Model,
  { copyTokenizerFrom }: { copyTokenizerFrom?: string } = {},
): Promise<void> {
  const { rank, alpha, targets, base } = model.adapter!;
  const [, name, revision] = /^([\w-][\w.-]*\/[\w-][\w.-]*)@(.+)$/.exec(base) ?? [undefined, base, null];
  const config = {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: name,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    rank_pattern: {},
    revision,
    target_modules: [...targets],
    task_type: model.architecture.adaptable!.taskType,
    use_dora: false,
    use_rslora: false,
  };
  const tensors = new Map([...adapterWeights(model)].map(([name, tensor]) => [PREFIX + name, tensor]));
  await writeModelFolder(directory, copyTokenizerFrom, async (temporary, checksums) => {
    checksums.set(ADAPTER_CONFIG, await writeFileAtomic(join(temporary, ADAPTER_CONFIG), configJson(config)));
    const [{ file }] = ADAPTER_FORMATS;
    const metadata = { format: 'pt' };
    checksums.set(file, await writeSafetensors(join(temporary, file), tensors, { metadata }));
  });
}
