import {
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
  WHY_BOTH_MAY_FALL,
} from '../charts.js';
import { parametersSchema } from '../../experiment/parameters.js';
import type { RecordedRun } from '../../experiment/run-files.js';
import { escapeHtml } from '../escape.js';
import { beforeAfterTable, evaluationTable, meanOf } from '../evaluation-table.js';
import { figurePlaceholder, plotlyScripts } from '../figure-html.js';
import type { Figure } from '../figure.js';
import { formatChange, formatDuration, formatNumber } from '../format.js';
import { beforeAndAfter, eventsOf, evaluationsOf, splitName } from '../run-events.js';
import { htmlTable, type Table } from '../table.js';
import { STYLE } from './style.js';
import { rewardChange, summarizeRun } from './summary.js';

export interface ReportContent {
  run: RecordedRun;
  rewardLabel: string;
  /** HTML of the players, or why there are none. */
  audio: { comparison: string; pairs: string } | { problem: string };
}

interface Section {
  id: string;
  title: string;
  html: string;
}

/** The whole page, all in one file. */
export async function reportPage(content: ReportContent): Promise<string> {
  const { run, rewardLabel } = content;
  const figures = reportFigures(run, rewardLabel);
  const sections = [
    rewardSection(run, figures),
    trainingSection(figures),
    sampleSection(figures),
    ...audioSections(content),
    parameterSection(run),
  ];
  const title = `${run.record.run}: ${run.record.parameters.reward}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${pageHead(content)}
<nav>${sections.map(({ id, title }) => `<a href="#${id}">${title}</a>`).join('')}</nav>
${sections.map(({ id, title, html }) => `<h2 id="${id}">${title}</h2>\n${html}`).join('\n')}
<footer>Made by speech-dpo ${escapeHtml(run.record.versions['speech-dpo'] ?? '')} from metrics.jsonl, run.json and audio.json of this run. Charts by plotly.js (MIT licence).</footer>
</main>
${await plotlyScripts(Object.fromEntries(Object.entries(figures).map(([name, figure]) => [chartId(name), figure])))}
</body>
</html>
`;
}

type FigureName = 'rewards' | 'training' | 'logps' | 'distribution' | 'lengths';

/** The charts that the run has data for. */
function reportFigures({ events }: RecordedRun, rewardLabel: string): Partial<Record<FigureName, Figure>> {
  const evaluated = eventsOf(events, 'evaluated').length > 0;
  const trained = eventsOf(events, 'step').length > 0;
  return {
    ...(evaluated && { rewards: rewardCurves(events, rewardLabel) }),
    ...(trained && { training: trainingCurves(events), logps: logProbabilityCurves(events) }),
    ...(evaluationsOf(events, 'test').length > 0 && {
      distribution: rewardDistribution(events, 'test', rewardLabel),
      lengths: lengthDistribution(events, 'test'),
    }),
  };
}

function pageHead({ run, rewardLabel }: ReportContent): string {
  const { record } = run;
  const date = new Date(record.startedAt).toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' });
  return `<p class="overline">speech-dpo run, ${escapeHtml(date)}, seed ${record.seed}</p>
<h1>${escapeHtml(record.run)}: DPO with the ${escapeHtml(record.parameters.reward)} reward</h1>
${stateWarning(run)}
<p class="lead">${escapeHtml(summarizeRun(run, rewardLabel))}</p>
${tiles(run)}`;
}

function stateWarning({ record, events }: RecordedRun): string {
  if (record.state === 'finished') return '';
  const saved = new Set(eventsOf(events, 'saved').map(({ iteration }) => iteration)).size;
  const how = {
    running: 'This run has not ended: it is still going on, or its process was killed.',
    interrupted: 'This run was interrupted.',
    failed: `This run failed: ${record.error ?? 'its reason was not recorded'}`,
  }[record.state];
  const progress = `${saved} of ${record.parameters.iterations} iterations are trained and saved; the report shows what is there.`;
  return `<p class="warning">${escapeHtml(`${how} ${progress}`)}</p>`;
}

function tiles(run: RecordedRun): string {
  const made = (['test', 'train'] as const).flatMap((split) => {
    const { before, after } = beforeAndAfter(run.events, split);
    if (!before || !after) return [];
    const change = rewardChange(run, split);
    const interval = change
      ? `, 95 % interval ${formatChange(change.low)} to ${formatChange(change.high)}`
      : '';
    const moved = formatChange(after.statistics.mean - before.statistics.mean);
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
  return `<div class="tiles">${made.join('')}</div>`;
}

function arrow(from: number, to: number, digits: number): string {
  return `${formatNumber(from, digits)} → ${formatNumber(to, digits)}`;
}

function tile(figure: string, meaning: string): string {
  return `<div class="tile"><b>${escapeHtml(figure)}</b><span>${escapeHtml(meaning)}</span></div>`;
}

/** The place of a chart, or the reason why there is none. */
function chart(
  figures: Partial<Record<FigureName, Figure>>,
  name: FigureName,
  caption: string,
  missing: string,
): string {
  return figures[name]
    ? figurePlaceholder(chartId(name), caption)
    : `<p class="note">${escapeHtml(missing)}</p>`;
}

/** The id of a chart's place; section ids are other names. */
function chartId(name: string): string {
  return `chart-${name}`;
}

const NOT_EVALUATED = 'Nothing to show yet: no evaluation of this run is finished.';
const NOT_TRAINED = 'Nothing to show yet: no training step of this run is recorded.';

function rewardSection({ events }: RecordedRun, figures: ReturnType<typeof reportFigures>): Section {
  const caption =
    'Solid: median. Dotted: mean. Dark band: middle half of the samples. Light band: worst to best sample. “original” is the policy before any training.';
  const tables = (['test', 'train'] as const)
    .map(
      (split) =>
        `<h3>Every evaluation on ${splitName(split)}</h3>${scrolling(evaluationTable(events, split))}`,
    )
    .join('');
  const evaluated = figures.rewards
    ? `${scrolling(beforeAfterTable(events))}<details><summary>Statistics of every evaluation</summary>${tables}</details>`
    : '';
  return {
    id: 'reward',
    title: 'Reward',
    html: chart(figures, 'rewards', caption, NOT_EVALUATED) + evaluated,
  };
}

function trainingSection(figures: ReturnType<typeof reportFigures>): Section {
  const caption =
    'Loss starts at ln 2 = 0.693 and margins at 0 in every iteration, since the reference is the policy at the iteration’s start; dotted lines part the iterations.';
  const html = figures.training
    ? chart(figures, 'training', caption, NOT_TRAINED) +
      chart(figures, 'logps', WHY_BOTH_MAY_FALL, NOT_TRAINED)
    : `<p class="note">${NOT_TRAINED}</p>`;
  return { id: 'training', title: 'Training', html };
}

function sampleSection(figures: ReturnType<typeof reportFigures>): Section {
  const rewards = chart(
    figures,
    'distribution',
    'Rewards of the samples on held-out prompts.',
    NOT_EVALUATED,
  );
  const lengths = figures.lengths
    ? figurePlaceholder(chartId('lengths'), 'Lengths of the same samples.')
    : '';
  return {
    id: 'samples',
    title: 'Samples before and after',
    html: `<div class="two">${rewards}${lengths}</div>`,
  };
}

function audioSections({ audio }: ReportContent): Section[] {
  if ('problem' in audio) {
    return [{ id: 'listen', title: 'Listen', html: `<p class="note">${escapeHtml(audio.problem)}</p>` }];
  }
  const none = '<p class="note">No audio of these prompts was written.</p>';
  const scale =
    '<p class="note">Spectrograms: time from left to right, all clips of a prompt on one scale; 0 to 8 kHz (mel) from bottom to top; brightness from −95 to −20 dB of full scale.</p>';
  return [
    { id: 'listen', title: 'Listen: held-out prompts', html: scale + (audio.comparison || none) },
    { id: 'pairs', title: 'Listen: preference pairs', html: audio.pairs || none },
  ];
}

function parameterSection({ record }: RecordedRun): Section {
  const parameters: Table = {
    columns: [{ title: 'parameter' }, { title: 'value' }, { title: 'meaning' }],
    rows: Object.entries(record.parameters).map(([name, value]) => [
      name,
      showValue(value),
      parametersSchema.shape[name as keyof typeof parametersSchema.shape].description ?? '',
    ]),
  };
  const versions: Table = {
    columns: [{ title: 'software' }, { title: 'version' }],
    rows: Object.entries(record.versions),
  };
  const timings: Table = {
    columns: [
      { title: 'step' },
      { title: 'iteration' },
      { title: 'prompts' },
      { title: 'time', align: 'right' },
    ],
    rows: record.timings.map(({ event, iteration, split, seconds }) => [
      event,
      iteration === undefined ? '' : iteration < 0 ? 'before' : String(iteration),
      split ?? '',
      formatDuration(seconds),
    ]),
  };
  const html = `${scrolling(parameters)}<details><summary>Versions and times</summary><div class="two"><div>${htmlTable(versions)}</div><div>${htmlTable(timings)}</div></div></details>`;
  return { id: 'parameters', title: 'Parameters', html };
}

function scrolling(table: Table): string {
  return `<div class="scroll">${htmlTable(table)}</div>`;
}

function showValue(value: string | number | boolean | null): string {
  if (value === null) return 'none';
  return typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential()
    : String(value);
}
