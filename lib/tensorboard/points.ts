/** What of a run's events becomes points. */
import type { DpoMetrics } from '../dpo/metrics.js';
import { meanIfAny } from '../mean.js';
import type { PreferenceRow } from '../run/data-file.js';
import type { RunEvent, Split } from '../run/events.js';
import type { Point } from './event-file.js';

const SPLIT_NAMES: Record<Split, string> = { train: 'train', test: 'held-out' };

/**
 * The numbers and warnings of an event, at a step. Metrics of training are under `train/`, those of its validation under `eval/`, with TRL's
 * names, as transformers' TensorBoardCallback has them.
 */
export function pointsOfEvent(event: RunEvent, step: number): Point[] {
  const scalars = (values: Record<string, number | undefined>): Point[] =>
    Object.entries(values).flatMap(([tag, scalar]) => (scalar === undefined ? [] : { tag, step, scalar }));
  switch (event.type) {
    case 'evaluated': {
      const split = SPLIT_NAMES[event.split];
      return scalars({
        [`reward/${split}`]: event.statistics.mean,
        [`reward/${split}_std`]: event.statistics.std,
        ...bestOf(`reward/${split}`, event.bestOfN ?? []),
        [`length/${split}`]: meanIfAny(event.lengths),
      });
    }
    case 'guarded': {
      const figures = event.guards.map(({ figure, mean }) => [`guard/${figure}`, mean]);
      const { warnings } = event;
      return [
        ...scalars(Object.fromEntries(figures) as Record<string, number>),
        ...(warnings.length > 0 ? [{ tag: 'warnings/guards', step, text: listOf(warnings) }] : []),
      ];
    }
    case 'scored':
      return scalars({ 'samples/reward': event.averageReward, 'samples/dropped': event.dropped });
    case 'paired':
      return scalars({
        'pairs/count': event.pairs,
        'pairs/skipped_prompts': event.skipped,
        'pairs/chosen_reward': meanIfAny(event.chosenRewards),
        'pairs/rejected_reward': meanIfAny(event.rejectedRewards),
        'pairs/considered': event.considered,
        ...dropped(event.dropped ?? {}),
      });
    case 'step':
      return scalars(named('train', event.metrics));
    case 'validated':
      return scalars(named('eval', event.metrics));
    case 'warned':
      return [{ tag: `warnings/${event.about}`, step, text: listOf([event.message]) }];
    case 'stopped':
      return [
        {
          tag: event.step === undefined ? 'stopped/run' : 'stopped/training',
          step,
          text: listOf([event.reason]),
        },
      ];
    case 'restored':
      return [{ tag: 'restored', step, text: listOf([event.reason]) }];
    case 'saved':
      return scalars({ iteration: event.iteration });
    default:
      return [];
  }
}

/** What choosing the best of all samples of a prompt gives, where there are several. */
function bestOf(tag: string, rewards: readonly number[]): Record<string, number> {
  return rewards.length > 1 ? { [`${tag}_best_of_${rewards.length}`]: rewards.at(-1)! } : {};
}

function named(group: string, metrics: DpoMetrics): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${group}/${name}`, value]));
}

/** Of pairs that were not made, how many for each reason. */
function dropped(drops: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(drops).map(([reason, count]) => [`pairs/dropped_${reason}`, count]),
  );
}

/** Sentences as a list in Markdown. */
export function listOf(sentences: readonly string[]): string {
  return sentences.map((sentence) => `- ${escapeMarkdown(sentence)}`).join('\n');
}

/** More rows than a person reads; the data file has all. */
const MOST_ROWS = 200;

/**
 * The pairs of an iteration as a table in Markdown: instruction, lengths in codes, rewards.
 *
 * @param file where all of them are
 */
export function pairTable(rows: readonly PreferenceRow[], file: string): string {
  const titles = ['instruction', 'source codes', 'chosen codes', 'chosen reward'];
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const columns = ['pair', ...titles, 'rejected codes', 'rejected reward', 'margin'];
  const shown = rows.slice(0, MOST_ROWS).map((row, index) => {
    const rewards = [row.chosenReward, row.rejectedReward, row.chosenReward - row.rejectedReward];
    const [chosen, rejected, margin] = rewards.map((reward) => String(Number(reward.toPrecision(5))));
    const lengths = [row.source, row.chosen, row.rejected].map((codes) => codes.length);
    return line([
      index,
      escapeMarkdown(row.instruction),
      lengths[0],
      lengths[1],
      chosen,
      lengths[2],
      rejected,
      margin,
    ]);
  });
  const left = rows.length - shown.length;
  return [
    line(columns),
    line(columns.map((_, index) => (index === 1 ? '---' : '---:'))),
    ...shown,
    ...(left > 0 ? ['', `${left} further pairs are in ${escapeMarkdown(file)}.`] : []),
  ].join('\n');
}

/** Text from outside stays text: no link, picture or HTML comes of it, and no cell of a table ends with it. */
function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#+!|~-]/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/\s+/g, ' ');
}
