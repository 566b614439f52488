import type { RunEvent } from '../run/events.js';
import { chooseGuards } from './local-farm.js';
import { checkScored } from './check-scored.js';
import type { Run } from './run.js';
import { createScoring } from './score.js';
import type { ScoredCompletion } from './scored-completion.js';

/**
 * The targets of the train prompts, scored as their samples are: of codebook 0, to which the partner writes the others. This process does it, also
 * in a run with workers.
 *
 * @returns `targets[i]` of the ith train prompt
 * @throws Error as scoring and `checkScored` do
 */
export async function* scoreTargets(
  run: Run,
  iteration: number,
): AsyncGenerator<RunEvent, ScoredCompletion[]> {
  const { train: prompts, guards, parameters } = run;
  const measured = chooseGuards(guards, parameters.guardPairs ? 'pairs' : 'none');
  const scoring = createScoring(run, { split: 'train', prompts, guards: measured });
  try {
    for (const prompt of prompts)
      scoring.add({ prompt, sampleIndex: 0, codes: prompt.item.tgt_encodec[0], finished: true });
    const scored = yield* scoring.finish({ iteration });
    await checkScored(run, { iteration, split: 'train', prompts, scored });
    return scored.map(([target]) => target);
  } finally {
    await scoring.close();
  }
}
