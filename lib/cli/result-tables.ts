/** The tables with which `eval` and `train` end. */
import type { DpoMetrics } from '../dpo/metrics.js';
import { bootstrapMean } from '../run/bootstrap.js';
import type { RunEvent } from '../run/events.js';
import { FEWEST_PROMPTS } from '../run/paired-comparison.js';
import { summarize } from '../run/statistics.js';
import { formatChange, formatCount, formatNumber } from '../format.js';
import { eventsOf, splitName, type Evaluation, type EventOf } from '../view/run-events.js';
import { numberColumn, type Table } from '../view/table.js';

/**
 * What an evaluation found, with the 95 % interval of the mean reward over prompts.
 *
 * @param label of the reward
 */
export function singleEvaluationTable(
  { split, statistics, promptMeans, lengths }: Evaluation,
  label: string,
): Table {
  const means = promptMeans.filter((mean) => mean !== null);
  const { mean, median, p25, p75, count } = statistics;
  const tokens = summarize(lengths);
  return {
    columns: [{ title: splitName(split) }, numberColumn(''), { title: '' }],
    rows: [
      ['reward', '', label],
      ['mean reward', formatNumber(mean), describeInterval(means, mean)],
      ['median reward', formatNumber(median), `p25 to p75: ${formatNumber(p25)} to ${formatNumber(p75)}`],
      ['mean length', formatNumber(tokens.mean, 1), `tokens; median ${formatNumber(tokens.median, 1)}`],
      [
        'samples with a score',
        String(count),
        `of ${lengths.length}, of ${formatCount(promptMeans.length, 'prompt')}`,
      ],
    ],
  };
}

/** @param overSamples the mean that is shown beside it; that over prompts, which the interval is of, is told where it is another */
function describeInterval(promptMeans: readonly number[], overSamples: number): string {
  const count = promptMeans.length;
  if (count < FEWEST_PROMPTS)
    return `no interval: it takes ${FEWEST_PROMPTS} prompts with a score, and there ${count === 1 ? 'is' : 'are'} ${count}`;
  const interval = bootstrapMean(promptMeans);
  const [mean, low, high] = [interval.mean, interval.low, interval.high].map((each) => formatNumber(each));
  const own = mean === formatNumber(overSamples) ? '' : `, whose mean is ${mean}`;
  return `95 % interval over prompts${own}: ${low} to ${high}`;
}

const METRICS: [keyof DpoMetrics, string][] = [
  ['loss', 'loss'],
  ['rewards/margins', 'margin of implicit rewards'],
  ['rewards/accuracies', 'accuracy'],
  ['logps/chosen', 'log-probability of chosen'],
  ['logps/rejected', 'log-probability of rejected'],
];

/**
 * What became of a training's metrics: means over its first epoch, and over the one that its checkpoint is of, on training pairs and on those
 * kept for validation. That is the last one, unless early stopping went back to the weights of an earlier one.
 */
export function trainingTable(events: readonly RunEvent[]): Table {
  const restored = eventsOf(events, 'restored').at(-1);
  const isKept = ({ step }: { step: number }) => !restored || step <= restored.step;
  const steps = eventsOf(events, 'step').filter(isKept);
  const validated = eventsOf(events, 'validated').filter(isKept);
  const end = restored ? 'best epoch' : 'last epoch';
  return {
    columns: [{ title: 'metric' }, ...['first epoch', end, 'change'].map(numberColumn)],
    rows: [...rowsOf(steps, ''), ...rowsOf(validated, 'validation ')],
  };
}

function rowsOf(events: readonly (EventOf<'step'> | EventOf<'validated'>)[], prefix: string): string[][] {
  const [first, last] = [events[0]?.epoch, events.at(-1)?.epoch];
  return METRICS.flatMap(([name, title]) => {
    const meanOf = (epoch: number | undefined): number | undefined => {
      const values = events.flatMap((event) => (event.epoch === epoch ? (event.metrics[name] ?? []) : []));
      return values.length === 0 ? undefined : summarize(values).mean;
    };
    const [before, after] = [meanOf(first), meanOf(last)];
    if (before === undefined || after === undefined) return [];
    const change = first === last ? 'one epoch' : formatChange(after - before, 3);
    return [[prefix + title, formatNumber(before, 3), formatNumber(after, 3), change]];
  });
}
