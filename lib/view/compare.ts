import { resolve } from 'node:path';
import { commandText } from '../command-text.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { refuseToReplaceOther } from '../checkpoint/files.js';
import { comparisonPage } from './compare/page.js';
import { readComparedRuns, type ComparedRun } from './compare/runs.js';
import { loadComparedPrompts } from './compare/sound.js';
import { NO_LIMIT, PAGE_BUDGET } from './sound-budget.js';

/**
 * Writes a page that compares runs: results with paired intervals, curves over one axis, the same prompts' sound side by side, and the
 * parameters that differ, in one self-contained file. What cannot be compared (another reward, other prompts) is said on the page.
 *
 * @param directories `output/{name}` or `model_output/{name}`, two or more; the others are compared with the first
 * @param path of the page; a page that is there is replaced
 * @param options.allAudio puts all sound into the page, whatever its size; default: as much as 24 MiB, the rest in files that it names
 * @returns the runs, for tables of one's own
 * @throws Error in one sentence for fewer than two runs, a folder that is no run's, a run given twice, a file that is no page at `path`, or a
 *   page that cannot be written
 */
export async function writeComparison(
  directories: readonly string[],
  path: string,
  options: { allAudio?: boolean } = {},
): Promise<ComparedRun[]> {
  await refuseToReplaceOther(path);
  const runs = await readComparedRuns(directories);
  const prompts = await loadComparedPrompts(runs, options.allAudio ? NO_LIMIT : PAGE_BUDGET, {
    samples: 'ranked',
  });
  const command = commandText('compare', '--all-audio', ...directories, '--output', path);
  await writeFileAtomic(path, await comparisonPage(runs, prompts, { path: resolve(path), command }));
  return runs;
}
