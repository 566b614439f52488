import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import type { DpoEvent } from '../dpo/trainer.js';
import { formatPrompt, formatTokens, type PreferenceRow } from './data-file.js';

/**
 * Writes the pairs at which training came to a number that is not finite, for inspection: diverged_iter_k.json in the output directory.
 * JSON has no NaN; log-probabilities are text.
 *
 * @returns the file's path
 */
export async function keepBatch(
  outputDirectory: string,
  iteration: number,
  rows: readonly PreferenceRow[],
  event: Extract<DpoEvent, { type: 'diverged' }>,
): Promise<string> {
  const { epoch, step, reason, pairs, logps, referenceLogps } = event;
  const both = (values: readonly number[], place: number) =>
    values.slice(2 * place, 2 * place + 2).map(String);
  const described = pairs.map((index, place) => ({
    index,
    prompt: formatPrompt(rows[index].instruction, rows[index].source),
    chosen: formatTokens(rows[index].chosen),
    rejected: formatTokens(rows[index].rejected),
    logps: both(logps, place),
    reference_logps: both(referenceLogps, place),
  }));
  const path = join(outputDirectory, `diverged_iter_${iteration}.json`);
  const content = { iteration, epoch, step, reason, pairs: described };
  await writeFileAtomic(path, JSON.stringify(content, null, 2) + '\n');
  return path;
}
