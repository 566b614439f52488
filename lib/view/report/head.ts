import { meanOf } from '../../mean.js';
import type { RecordedRun } from '../../run/run-files.js';
import { methodOf, taughtBy } from '../../run/taught-by.js';
import { meaningOf } from '../../reward/guard.js';
import { ORIGINAL } from '../../run/events.js';
import { comparePairs, meanChange } from '../../run/paired-comparison.js';
import { escapeHtml, escapeProse } from '../escape.js';
import { formatChange, formatCount, formatNumber } from '../../format.js';
import { beforeAndAfter, eventsOf, evaluationsOf, policyName, splitName } from '../run-events.js';
import { warning } from './parts.js';
import { describeMeanChange, summarizeRun } from './summary.js';

/** Name, date, state, result in words and in figures. */
export function pageHead(run: RecordedRun, rewardLabel: string): string {
  const { record } = run;
  const date = new Date(record.startedAt).toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' });
  return `<p class="overline">speech-dpo run, ${escapeHtml(date)}, seed ${record.seed}</p>
<h1><span class="name">${escapeHtml(record.run)}</span>: ${escapeHtml(`${methodOf(record.parameters)} ${taughtBy(record.reward?.name)}`)}</h1>
${stateWarning(run)}${runWarnings(run)}
<p class="lead">${escapeProse(summarizeRun(run, rewardLabel))}</p>
${tiles(run)}`;
}

function stateWarning({ record, events }: RecordedRun): string {
  if (record.state === 'finished') return '';
  const saved = new Set(eventsOf(events, 'saved').map(({ iteration }) => iteration)).size;
  const how = {
    running: 'This run has not ended: it is still going on, or its process was killed.',
    interrupted: 'This run was interrupted.',
    failed: `This run failed: ${sentence(record.error ?? 'its reason was not recorded')}`,
  }[record.state];
  const progress = `${saved} of ${record.parameters.iterations} iterations are trained and saved; the report shows what is there.`;
  return warning(`${how} ${progress}`);
}

/** What the run warned of on its own, where it stopped early, and where it went back to earlier weights. */
function runWarnings({ events }: RecordedRun): string {
  const sentences = events.flatMap((event) => {
    if (event.type === 'warned') return [`${policyName(event.iteration)}: ${event.message}.`];
    if (event.type === 'stopped' || event.type === 'restored')
      return [`${policyName(event.iteration)}: ${event.reason}.`];
    return [];
  });
  return sentences.map((text) => '\n' + warning(text)).join('');
}

function tiles(run: RecordedRun): string {
  const made = (['test', 'train'] as const).flatMap((split) => {
    const { before, after } = beforeAndAfter(run.events, split);
    if (!before || !after) return [];
    const comparison = comparePairs(before.promptMeans, after.promptMeans);
    const interval = comparison?.interval
      ? `, 95 % interval ${formatChange(comparison.interval.low)} to ${formatChange(comparison.interval.high)}`
      : '';
    const moved = describeMeanChange(before, after, comparison);
    return [
      tile(
        arrow(before.statistics.mean, after.statistics.mean, 2),
        `mean reward, ${splitName(split)}: ${moved}${interval}`,
      ),
    ];
  });
  const { before, after } = beforeAndAfter(run.events, 'test');
  if (before && after) {
    made.push(
      tile(
        arrow(meanOf(before.lengths), meanOf(after.lengths), 1),
        'tokens in a held-out sample, on average',
      ),
    );
  }
  return `<div class="tiles">${[...made, ...guardTile(run.events)].join('')}</div>`;
}

/** What the guard says of the last policy; nothing for a run without guards. */
function guardTile(events: RecordedRun['events']): string[] {
  const guarded = eventsOf(events, 'guarded').filter(({ iteration }) => iteration > ORIGINAL);
  const last = guarded.at(-1);
  if (!last) return [];
  const watched = last.guards.filter(({ figure }) => meaningOf(figure).limit !== undefined);
  const of = `guard, ${policyName(last.iteration)}: ${formatCount(watched.length, 'figure')} with a limit`;
  const earlier = guarded.slice(0, -1).flatMap(({ warnings }) => warnings).length;
  const before = earlier > 0 ? `; ${formatCount(earlier, 'warning')} in earlier iterations` : '';
  if (last.warnings.length > 0)
    return [tile(formatCount(last.warnings.length, 'warning'), `${of}${before}`, 'warned')];
  const [from, to] = [ORIGINAL, last.iteration].map((iteration) =>
    evaluationsOf(events, 'test').find((evaluation) => evaluation.iteration === iteration),
  );
  const hasRisen = from && to && meanChange(from.promptMeans, to.promptMeans) > 0;
  const why = hasRisen ? '' : ', of which none can warn while the reward has not risen';
  return [tile('no warning', `${of}${why}${before}`)];
}

function arrow(from: number, to: number, digits: number): string {
  return `${formatNumber(from, digits)} → ${formatNumber(to, digits)}`;
}

function tile(figure: string, meaning: string, kind = ''): string {
  return `<div class="${kind === '' ? 'tile' : `tile ${kind}`}"><b>${escapeHtml(figure)}</b><span>${escapeHtml(meaning)}</span></div>`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
