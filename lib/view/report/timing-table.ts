import type { RunRecord } from '../../run/run-files.js';
import { formatDuration } from '../../format.js';
import { policyName } from '../run-events.js';
import { numberColumn, type Table } from '../table.js';

const STEPS: Record<string, string> = {
  evaluated: 'evaluate',
  sampled: 'sample',
  scored: 'score',
  saved: 'save',
  finished: 'the whole run',
};

/** How long every step of a run took, in the order of the run. */
export function timingTable(timings: RunRecord['timings']): Table {
  const trainings = timings.filter(({ trainingSeconds }) => trainingSeconds !== undefined);
  return {
    columns: [{ title: 'step' }, { title: 'policy' }, { title: 'prompts' }, numberColumn('time')],
    rows: timings.flatMap(({ event, iteration, split, seconds, trainingSeconds }) => {
      const policy = iteration === undefined ? '' : policyName(iteration);
      const prompts = split === undefined ? '' : split === 'test' ? 'held-out' : 'training';
      const row = [STEPS[event] ?? event, policy, prompts, formatDuration(seconds)];
      if (trainingSeconds !== undefined) return [['train', policy, '', formatDuration(trainingSeconds)], row];
      if (event === 'finished' && trainings.length > 1)
        return [['train, all iterations', '', '', formatDuration(total(trainings))], row];
      return [row];
    }),
  };
}

function total(trainings: RunRecord['timings']): number {
  return trainings.reduce((sum, { trainingSeconds = 0 }) => sum + trainingSeconds, 0);
}
