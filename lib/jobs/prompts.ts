import { join } from 'node:path';
import { z } from 'zod';
import type { DatasetItem } from '../data/item.js';
import { loadPrompts, type Prompts } from '../data/prompts.js';
import type { PackedPrompt } from '../experiment/packed-prompt.js';
import { resolveModelDirectory } from '../package-root.js';
import { sentenceOf } from '../plain-error.js';
import { packPrompt } from '../policy/pack.js';
import type { Partner } from '../policy/partner.js';
import type { Policy } from '../policy/policy.js';
import type { Split } from '../run/events.js';
import type { Parameters } from '../run/parameters.js';
import { describeIssues } from '../zod-message.js';
import { loadData, type Fetching } from './sources.js';

/** Where prompts come from, and what becomes of their instructions. */
export type PromptSources = Pick<Parameters, 'model' | 'prompts' | 'data' | 'instruction'>;

/** How many prompts of each split are wanted. */
export type PromptCounts = Record<Split, number>;

/**
 * Reads the first prompts of each split and packs them for the policy. Of a dataset the first items train, and those after them are held out.
 *
 * @param options.given prompts in place of those that the sources name
 * @param options.asked what is asked for, where it is not the first of each split: "test prompt 12 is"
 * @throws Error in one sentence when there are fewer, or naming the prompt that the policy cannot read
 */
export async function openPrompts(
  policy: Policy,
  sources: PromptSources,
  counts: PromptCounts,
  { given, ...asking }: { given?: Prompts; asked?: string } & Fetching = {},
): Promise<Record<Split, PackedPrompt[]>> {
  const prompts = given ? checkGiven(given) : await readPrompts(policy, sources, counts, asking);
  const pack = (split: Split, label: string) => {
    const items = prompts[split];
    if (items.length < counts[split]) {
      const source = given ? 'those that were given are' : 'the prompts file has';
      const asked = asking.asked ?? `${counts[split]} ${label}s are`;
      throw new Error(`${asked} asked for, ${source} ${items.length}`);
    }
    return items.slice(0, counts[split]).map((original, index): PackedPrompt => {
      const { instruction } = sources;
      const item = instruction === null ? original : { ...original, instruction };
      try {
        return { index, item, ids: packPrompt(policy, item.instruction, item.src_encodec[0]) };
      } catch (error) {
        throw new Error(`${label} ${index}: ${sentenceOf(error)}`, { cause: error });
      }
    });
  };
  return { train: pack('train', 'train prompt'), test: pack('test', 'test prompt') };
}

/**
 * Says before anything is sampled that completions of a prompt could not be heard.
 *
 * @param label of the prompt: "train prompt 3"
 * @throws Error in one sentence for a recording that is too long for the partner
 */
export function checkPartnerReads(
  partner: Pick<Partner, 'longestSource'>,
  { instruction, src_encodec: [codes] }: Pick<DatasetItem, 'instruction' | 'src_encodec'>,
  label: string,
): void {
  const most = partner.longestSource(instruction);
  if (codes.length > most)
    throw new Error(
      `${label}: the partner (nar) reads at most ${most} frames with the instruction "${instruction}", and this recording has ${codes.length}: take shorter recordings, or a partner with more positions`,
    );
}

const codes = z.array(z.array(z.number())).min(1);
const item = z.looseObject({ instruction: z.string(), src_encodec: codes, tgt_encodec: codes });
const givenSchema = z.looseObject(
  { train: z.array(item), test: z.array(item) },
  'they must be an object { train, test } of two lists',
);

/** A program in JavaScript may give anything. */
function checkGiven(prompts: Prompts): Prompts {
  const { error } = givenSchema.safeParse(prompts);
  if (error) throw new Error(`the prompts that are given cannot be used: ${describeIssues(error)}`);
  return prompts;
}

function readPrompts(
  policy: Policy,
  { model, prompts, data }: PromptSources,
  counts: PromptCounts,
  asking: { asked?: string } & Fetching,
): Promise<Prompts> {
  if (data !== null) return loadData(data, policy, counts, asking);
  return loadPrompts(prompts ?? join(resolveModelDirectory(model), 'prompts.json'), policy.tokenizer);
}
