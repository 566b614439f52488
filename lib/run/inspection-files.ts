/** What a run leaves for inspection when it stops at a number that is not finite. JSON has no NaN: such numbers are text. */
import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import type { DatasetItem } from '../data/item.js';
import type { DpoEvent } from '../dpo/trainer.js';
import { formatPrompt, formatTokens, type PreferenceRow } from './data-file.js';
import type { Split } from './events.js';

/**
 * Writes the pairs, or the single samples, whose loss or gradient is not finite, for inspection: diverged_iter_k.json in the output directory.
 *
 * @returns the file's path
 */
export async function keepBatch(
  outputDirectory: string,
  iteration: number,
  rows: readonly PreferenceRow[],
  event: Extract<DpoEvent, { type: 'diverged' }>,
): Promise<string> {
  const { epoch, step, reason, pairs, desirable, logps, referenceLogps } = event;
  const both = (values: readonly number[], place: number) =>
    values.slice(2 * place, 2 * place + 2).map(String);
  const described = pairs.map((index, place) => {
    const { instruction, source, chosen, rejected } = rows[index];
    const where = { index, prompt: formatPrompt(instruction, source) };
    const figures = [both(logps, place), both(referenceLogps, place)];
    if (!desirable) {
      const completions = { chosen: formatTokens(chosen), rejected: formatTokens(rejected) };
      return { ...where, ...completions, logps: figures[0], reference_logps: figures[1] };
    }
    const [[logp, mismatched], [referenceLogp, mismatchedReference]] = figures;
    return {
      ...where,
      desirable: desirable[place],
      completion: formatTokens(desirable[place] ? chosen : rejected),
      logp,
      reference_logp: referenceLogp,
      mismatched_logp: mismatched,
      mismatched_reference_logp: mismatchedReference,
    };
  });
  const content = { iteration, epoch, step, reason, [desirable ? 'samples' : 'pairs']: described };
  return writeJson(join(outputDirectory, `diverged_iter_${iteration}.json`), content);
}

/** Samples whose reward, or a figure beside it, is not finite. */
export interface InvalidSamples {
  iteration: number;
  split: Split;
  /** The reward's name. */
  reward: string;
  samples: readonly { prompt: number; sample: number; item: DatasetItem; codes: number[]; invalid: string }[];
}

/**
 * Writes samples and the prompts that they answer, for inspection: invalid_rewards.json in the output directory.
 *
 * @returns the file's path
 */
export async function keepInvalidSamples(
  outputDirectory: string,
  { samples, ...where }: InvalidSamples,
): Promise<string> {
  const described = samples.map(({ prompt, sample, invalid, item, codes }) => ({
    index: prompt,
    sample,
    invalid,
    prompt: formatPrompt(item.instruction, item.src_encodec[0]),
    completion: formatTokens(codes),
  }));
  return writeJson(join(outputDirectory, 'invalid_rewards.json'), { ...where, samples: described });
}

async function writeJson(path: string, content: object): Promise<string> {
  await writeFileAtomic(path, JSON.stringify(content, null, 2) + '\n');
  return path;
}
