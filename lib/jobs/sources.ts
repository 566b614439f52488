/** Where a run's models and data come from: the model folder, or what the parameters name instead, on this machine or on a hub. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { resolveSource } from '../checkpoint/hub.js';
import { chooseModelFiles } from '../checkpoint/model-files.js';
import type { Codec } from '../codec/codec.js';
import type { DatasetItem } from '../data/item.js';
import { refuseWholeModel, resolveModelDirectory } from '../package-root.js';
import { sentenceOf } from '../plain-error.js';
import { packPrompt } from '../policy/pack.js';
import type { Policy } from '../policy/policy.js';
import { chooseDataFiles } from '../data/choose-files.js';
import { readItems } from '../data/items.js';
import { policySource } from '../run/checkpoint-path.js';
import type { Split } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';
import type { OnNotice } from '../notice.js';
import type { Prompts } from '../data/prompts.js';

/** How a source that is on a hub is fetched. */
export interface Fetching {
  signal?: AbortSignal;
  /** Is told of downloads. */
  onNotice?: OnNotice;
}

export type ModelPart = 'policy' | 'nar' | 'codec';

/** A model folder, what replaces its parts, and whether they write in 8 bits. */
export type ModelSources = Pick<Parameters, 'model'> & Partial<Pick<Parameters, ModelPart | 'int8'>>;

/**
 * The folder of one part of the model. Named apart from the others, it may be a folder, a hub's `organisation/name@revision` or "default",
 * the embedded model's, and a policy also a run or a checkpoint of it (`policySource`).
 *
 * @throws Error when there is no such folder, it cannot be downloaded, or it is a whole model's
 */
export async function findModelPart(
  sources: ModelSources,
  part: ModelPart,
  fetching: Fetching = {},
): Promise<string> {
  const source = sources[part];
  if (!source || source === 'default') {
    const model = resolveModelDirectory(source || sources.model);
    if (!existsSync(join(model, 'policy')) && !existsSync(join(model, part)))
      throw new Error(
        `${model} is no folder of a model: it must have policy/, nar/, codec/ and prompts.json in it`,
      );
    return join(model, part);
  }
  refuseWholeModel(source, part);
  return resolveSource(part === 'policy' ? policySource(source) : source, {
    type: 'model',
    choose: chooseModelFiles,
    ...fetching,
  });
}

/**
 * The parameters of a run with the paths of what they name on this machine, from the root on, so that the run is recorded with what it began
 * from and goes on from any working directory. Names on a hub, and "default", stay.
 */
export function withAbsolutePaths(parameters: Parameters): Parameters {
  const { model, policy, nar, codec, prompts, data, transcriber } = parameters;
  return {
    ...parameters,
    model: absolutePath(model),
    policy: policy && absolutePath(policySource(policy)),
    nar: nar && absolutePath(nar),
    codec: codec && absolutePath(codec),
    prompts: prompts && absolutePath(prompts),
    data: data && absolutePath(data),
    transcriber: transcriber && absolutePath(transcriber),
  };
}

const absolutePath = (source: string): string =>
  source !== 'default' && existsSync(source) ? resolve(source) : source;

/**
 * The first items of a dataset that the policy can read, `train` for training and then `test` held out. As in the
 * original, items whose packed prompt has fewer than 5 ids or more than the model has positions are left out, of which `onNotice` is told.
 *
 * @param data a file, a folder or a hub's dataset
 * @param options.asked what is asked for, where it is not all of these: "test prompt 12 is"
 * @throws Error when the dataset is damaged or has too few such items
 */
export async function loadData(
  data: string,
  policy: Policy,
  { train, test }: Record<Split, number>,
  { asked, ...fetching }: { asked?: string } & Fetching = {},
): Promise<Prompts> {
  const path = await resolveSource(data, { type: 'dataset', choose: chooseDataFiles, ...fetching });
  const items: DatasetItem[] = [];
  let count = 0;
  let firstLeftOut: string | undefined;
  for await (const item of readItems(path, policy.tokenizer)) {
    fetching.signal?.throwIfAborted();
    const reason = whyUnreadable(policy, item);
    if (reason === undefined) items.push(item);
    else firstLeftOut ??= `item ${count}: ${reason.replace(/\.$/, '')}`;
    count += 1;
    if (items.length === train + test) {
      if (firstLeftOut !== undefined)
        fetching.onNotice?.(
          `${data}: the policy cannot read ${count - items.length} of the first ${count} items, and they are left out; the first is ${firstLeftOut}`,
        );
      return { train: items.slice(0, train), test: items.slice(train) };
    }
  }
  const leftOut = firstLeftOut === undefined ? '' : `; the first that it cannot read is ${firstLeftOut}`;
  const wanted = asked ?? `${train} train and ${test} test prompts are`;
  const last = items.length - (test > 0 ? train : 0) - 1;
  const choice =
    asked === undefined || last < 0
      ? ''
      : `, which --indices chooses (there ${last === 0 ? 'is only 0' : `are 0-${last}`})`;
  throw new Error(
    `${data} has too few items: the policy can read ${items.length} of its ${count} (up to ${policy.config.max_position_embeddings} ids), and ${wanted} asked for${choice}${leftOut}.`,
  );
}

/** Why the policy cannot read an item, as a sentence; undefined where it can. */
export function whyUnreadable(policy: Policy, { instruction, src_encodec }: DatasetItem): string | undefined {
  try {
    packPrompt(policy, instruction, src_encodec[0]);
    return undefined;
  } catch (error) {
    return sentenceOf(error);
  }
}

/** @throws Error unless the models write and speak the same codes */
export function checkSameCodes(policy: Policy, partner: Policy, codec: Codec): void {
  const describe = ({ codebooks, codebookSize }: Pick<Codec, 'codebooks' | 'codebookSize'>) =>
    `${codebooks} codebooks of ${codebookSize} codes`;
  const speaks = describe(policy.tokenizer);
  for (const [name, other] of [
    ['partner (nar)', partner.tokenizer],
    ['codec', codec],
  ] as const) {
    if (describe(other) !== speaks) {
      throw new Error(
        `the policy writes ${speaks}, but the ${name} has ${describe(other)}: choose ones that go together.`,
      );
    }
  }
}
