import { TARGET_WARNING } from '../../experiment/warnings.js';
import { parametersSchema } from '../../run/parameters.js';
import { describeRunDevice, type RecordedRun } from '../../run/run-files.js';
import {
  WHY_BOTH_MAY_FALL,
  guardCurves,
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
} from '../charts.js';
import { changeTable, rewardChangeTable } from '../change-table.js';
import { escapeHtml } from '../escape.js';
import { beforeAfterTable, evaluationTable } from '../evaluation-table.js';
import { guardTable, guardsOf } from '../guard-table.js';
import { figurePlaceholder } from '../figure-html.js';
import { NOT_EVALUATED, NOT_TRAINED, type Figure } from '../figure.js';
import { formatDuration, formatValue } from '../format.js';
import { PAIRED_NOTE } from '../paired-change.js';
import { eventsOf, evaluationsOf, policyName, splitName } from '../run-events.js';
import type { AudioSections } from './audio-section.js';
import { SCALE_NOTE } from '../spectrogram-picture.js';
import { htmlTable, type Table } from '../table.js';
import { note, scrolling } from './parts.js';
import { pairsHtml } from './pairs-section.js';
import { workersHtml } from './workers-section.js';

export interface ReportContent {
  run: RecordedRun;
  rewardLabel: string;
  /** The players, or why there are none. */
  audio: AudioSections | { problem: string };
}

export interface Section {
  id: string;
  title: string;
  html: string;
}

type FigureName =
  | 'chart-rewards'
  | 'chart-guards'
  | 'chart-training'
  | 'chart-logps'
  | 'chart-distribution'
  | 'chart-lengths';

/** The figures of a report by the id of their place. */
type Figures = Partial<Record<FigureName, Figure>>;

/** The charts that the run has data for. */
export function reportFigures({ events }: RecordedRun, rewardLabel: string): Figures {
  const evaluated = eventsOf(events, 'evaluated').length > 0;
  const trained = eventsOf(events, 'step').length > 0;
  return {
    ...(evaluated && { 'chart-rewards': rewardCurves(events, rewardLabel) }),
    ...(guardsOf(events).length > 0 && { 'chart-guards': guardCurves(events) }),
    ...(trained && { 'chart-training': trainingCurves(events), 'chart-logps': logProbabilityCurves(events) }),
    ...(evaluationsOf(events, 'test').length > 0 && {
      'chart-distribution': rewardDistribution(events, 'test', rewardLabel),
      'chart-lengths': lengthDistribution(events, 'test'),
    }),
  };
}

/** The parts of the page below its head. */
export function reportSections(content: ReportContent, figures: Figures): Section[] {
  const { run } = content;
  return [
    rewardSection(run, figures),
    ...guardSections(run, figures),
    ...pairSections(run),
    trainingSection(figures),
    sampleSection(figures),
    ...audioSections(content),
    ...workerSections(run),
    parameterSection(run),
  ];
}

const CAPTIONS: Record<FigureName, string> = {
  'chart-rewards':
    'Solid: median. Dotted: mean. Dark band: middle half of the samples. Light band: worst to best sample. ' +
    '“original” is the policy before any training.',
  'chart-guards':
    'What the reward does not see, on the held-out samples that it was measured on. Dashed: the limit beyond which ' +
    'a rising reward is worth a warning.',
  'chart-training':
    'Loss starts at ln 2 = 0.693 and margins at 0 in every iteration, since the reference is the policy at the ' +
    'iteration’s start. Dotted vertical lines part the iterations.',
  'chart-logps': WHY_BOTH_MAY_FALL,
  'chart-distribution': 'Rewards of the samples on held-out prompts.',
  'chart-lengths': 'Lengths of the same samples.',
};

/** The places of those charts that there are, or the sentence that says why there are none. */
function charts(figures: Figures, names: FigureName[], otherwise: string): string {
  const places = names.filter((name) => figures[name]).map((name) => figurePlaceholder(name, CAPTIONS[name]));
  return places.length > 0 ? places.join('\n') : note(otherwise);
}

function rewardSection({ events }: RecordedRun, figures: Figures): Section {
  const tables = (['test', 'train'] as const).map(
    (split) =>
      `<h3>Every evaluation on ${splitName(split)}</h3>${scrolling(evaluationTable(events, split))}${scrolling(rewardChangeTable(events, split))}`,
  );
  const details = `${scrolling(beforeAfterTable(events))}
${scrolling(changeTable(events))}${note(PAIRED_NOTE)}
<details><summary>Statistics of every evaluation</summary>${tables.join('')}</details>`;
  const html = charts(figures, ['chart-rewards'], NOT_EVALUATED) + (figures['chart-rewards'] ? details : '');
  return { id: 'reward', title: 'Reward', html };
}

/** Nothing for a run without guards. */
function guardSections({ events }: RecordedRun, figures: Figures): Section[] {
  const notices = eventsOf(events, 'notice')
    .filter(({ message }) => message !== TARGET_WARNING)
    .map(({ message }) => note(message));
  if (!figures['chart-guards'] && notices.length === 0) return [];
  const warnings = eventsOf(events, 'guarded').flatMap(({ iteration, warnings }) =>
    warnings.map((warning) => `<p class="warning">${escapeHtml(`${policyName(iteration)}: ${warning}`)}</p>`),
  );
  const html = [
    ...warnings,
    charts(figures, ['chart-guards'], NOT_EVALUATED),
    scrolling(guardTable(events)),
    ...notices,
  ].join('\n');
  return [{ id: 'guard', title: 'Guard against reward hacking', html }];
}

function pairSections({ events }: RecordedRun): Section[] {
  if (eventsOf(events, 'paired').length === 0) return [];
  const isWarned = eventsOf(events, 'notice').some(({ message }) => message === TARGET_WARNING);
  const warning = isWarned ? `<p class="warning">${escapeHtml(TARGET_WARNING)}</p>\n` : '';
  return [{ id: 'preference', title: 'Preference pairs', html: warning + pairsHtml(events) }];
}

function trainingSection(figures: Figures): Section {
  const html = charts(figures, ['chart-training', 'chart-logps'], NOT_TRAINED);
  return { id: 'training', title: 'Training', html };
}

function sampleSection(figures: Figures): Section {
  const html = `<div class="two">${charts(figures, ['chart-distribution', 'chart-lengths'], NOT_EVALUATED)}</div>`;
  return { id: 'samples', title: 'Samples before and after', html };
}

function audioSections({ audio }: ReportContent): Section[] {
  if ('problem' in audio) return [{ id: 'listen', title: 'Listen', html: note(audio.problem) }];
  const notes = audio.notes.map(note).join('');
  const none = note('No audio of these prompts was written.');
  const scale = note(SCALE_NOTE);
  return [
    { id: 'listen', title: 'Listen: held-out prompts', html: scale + notes + (audio.comparison || none) },
    { id: 'pairs', title: 'Listen: preference pairs', html: audio.pairs || none },
  ];
}

/** Nothing for a run that did everything itself. */
function workerSections({ record: { workers, device } }: RecordedRun): Section[] {
  return workers ? [{ id: 'workers', title: 'Workers', html: workersHtml(workers, device) }] : [];
}

function parameterSection({ record }: RecordedRun): Section {
  const parameters: Table = {
    columns: [{ title: 'parameter' }, { title: 'value' }, { title: 'meaning' }],
    rows: Object.entries(record.parameters).map(([name, value]) => [
      name,
      formatValue(value),
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
  const machine = record.device ? note(`Computed on ${describeRunDevice(record.device)}.`) : '';
  const html = `${scrolling(parameters)}
<details><summary>Machine, versions and times</summary>
${machine}<div class="two"><div>${htmlTable(versions)}</div><div>${htmlTable(timings)}</div></div></details>`;
  return { id: 'parameters', title: 'Parameters', html };
}
