import { meanOf } from '../../mean.js';
import { bestIteration } from '../../run/best-iteration.js';
import { checkpointFolder } from '../../run/directories.js';
import type { Interval } from '../../run/interval.js';
import type { Split } from '../../run/events.js';
import { comparePairs, type PairedComparison } from '../../run/paired-comparison.js';
import type { RecordedRun } from '../../run/run-files.js';
import { methodOf, taughtBy } from '../../run/taught-by.js';
import { formatChange, formatCount, formatDuration, formatNumber } from '../../format.js';
import { beforeAndAfter, eventsOf, policyName, splitName, type Evaluation } from '../run-events.js';

/** The result of a run in a few sentences, with the figures a reader asks for first. */
export function summarizeRun(run: RecordedRun, rewardLabel: string): string {
  const { parameters } = run.record;
  const iterations = eventsOf(run.events, 'saved').length;
  const sentences = [
    `${formatCount(iterations, 'iteration')} of ${methodOf(parameters)} ${taughtBy(run.record.reward?.name)}` +
      (run.record.reward
        ? ` on ${formatCount(parameters.trainPrompts, 'training prompt')}, ${parameters.sampleSize} samples each.`
        : '.'),
    ...(['test', 'train'] as const).map((split) => describeRewards(run, split, rewardLabel)),
    ...describeBestOfN(run),
    ...describeLengths(run),
    ...describeBestIteration(run),
  ];
  const seconds = run.record.timings.find(({ event }) => event === 'finished')?.seconds;
  if (seconds !== undefined) sentences.push(`The run took ${formatDuration(seconds)}.`);
  return sentences.join(' ');
}

function describeRewards(run: RecordedRun, split: Split, rewardLabel: string): string {
  const { before, after } = beforeAndAfter(run.events, split);
  if (!before) return `The policy has not been evaluated on ${splitName(split)} yet.`;
  const from = formatNumber(before.statistics.mean);
  if (!after) {
    return `On ${splitName(split)} the original policy's mean reward is ${from}; no trained policy has been evaluated yet.`;
  }
  const to = formatNumber(after.statistics.mean);
  const what = split === 'test' ? `the mean reward, ${rewardLabel},` : 'it';
  const comparison = comparePairs(before.promptMeans, after.promptMeans);
  const moved = describeMeanChange(before, after, comparison) + describeInterval(comparison?.interval);
  const isLast = eventsOf(run.events, 'saved').every(({ iteration }) => iteration <= after.iteration);
  const which = isLast ? '' : ` with ${policyName(after.iteration)}, the last one that is evaluated`;
  return `On ${splitName(split)} ${what} went from ${from} to ${to}${which} (${moved}).`;
}

/**
 * "+0.54", or "+0.54 over samples, +0.08 over prompts" where these means changed differently: the tables show the second, and
 * an interval is of it.
 *
 * @param overPrompts undefined where no prompt has a score in both
 */
export function describeMeanChange(
  before: Evaluation,
  after: Evaluation,
  overPrompts: PairedComparison | undefined,
): string {
  const overSamples = formatChange(after.statistics.mean - before.statistics.mean);
  const shown = overPrompts ? formatChange(overPrompts.change) : overSamples;
  return shown === overSamples ? overSamples : `${overSamples} over samples, ${shown} over prompts`;
}

function describeInterval(interval: Interval | undefined): string {
  if (!interval) return '';
  const { low, high } = interval;
  return `; 95 % interval ${formatChange(low)} to ${formatChange(high)}, paired bootstrap over prompts`;
}

/** What the original policy gives to those who sample more and choose. */
function describeBestOfN({ events }: RecordedRun): string[] {
  const { before, after } = beforeAndAfter(events, 'test');
  const original = before?.bestOfN ?? [];
  if (original.length < 2) return [];
  const now = after?.bestOfN ? `, and ${formatNumber(after.bestOfN.at(-1)!)} after training` : '';
  return [
    `The best of ${original.length} samples of a held-out prompt has a mean reward of ${formatNumber(original.at(-1)!)} under the original policy${now}.`,
  ];
}

/** Nothing where the last iteration is the best. */
function describeBestIteration({ record, events }: RecordedRun): string[] {
  const best = bestIteration(events);
  const last = eventsOf(events, 'saved').at(-1)?.iteration;
  if (!best || last === undefined || best.iteration === last) return [];
  const kept =
    record.parameters.keepCheckpoints === 'last'
      ? 'its checkpoint was not kept (keepCheckpoints)'
      : `its checkpoint is ${checkpointFolder(best.iteration)}`;
  return [
    `Of all iterations, iteration ${best.iteration} has the best held-out reward, ${formatNumber(best.reward)}: ${kept}.`,
  ];
}

function describeLengths({ events }: RecordedRun): string[] {
  const { before, after } = beforeAndAfter(events, 'test');
  if (!before || !after) return [];
  const [from, to] = [meanOf(before.lengths), meanOf(after.lengths)];
  const change = `${formatChange((100 * (to - from)) / from, 1)} %`;
  const [fromText, toText] = [formatNumber(from, 1), formatNumber(to, 1)];
  return [`Held-out samples are ${toText} tokens long on average, ${fromText} before training (${change}).`];
}
