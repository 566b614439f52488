import { TARGET_WARNING } from '../../experiment/warnings.js';
import { namedLoss } from '../../dpo/losses/named.js';
import { parametersSchema } from '../../run/parameters.js';
import { describeRunDevice, type RecordedRun } from '../../run/run-files.js';
import {
  guardCurves,
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
} from '../charts.js';
import { changeTable, rewardChangeTable } from '../change-table.js';
import { beforeAfterTable, evaluationTable } from '../evaluation-table.js';
import { guardTable, guardsOf } from '../guard-table.js';
import { figurePlace } from '../figure-html.js';
import { NOT_EVALUATED, NOT_TRAINED, type Figure } from '../figure.js';
import { formatValue } from '../../format.js';
import { PAIRED_NOTE } from '../paired-change.js';
import { eventsOf, evaluationsOf, policyName, splitName } from '../run-events.js';
import type { AudioSections } from './audio-section.js';
import { SCALE_NOTE } from '../spectrogram-picture.js';
import { htmlTable, type Table } from '../table.js';
import { meanings, note, scrolling, warning } from './parts.js';
import { STILL_PIXELS, captionOf, type FigureName } from './captions.js';
import { pairsHtml } from './pairs-section.js';
import { promptsHtml } from './prompts-section.js';
import { timingTable } from './timing-table.js';
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

/** The figures of a report by the id of their place. */
type Figures = Partial<Record<FigureName, Figure>>;

/** The charts that the run has data for. */
export function reportFigures({ events, record }: RecordedRun, rewardLabel: string): Figures {
  const evaluated = eventsOf(events, 'evaluated').length > 0;
  const trained = eventsOf(events, 'step').length > 0;
  return {
    ...(evaluated && { 'chart-rewards': rewardCurves(events, rewardLabel) }),
    ...(guardsOf(events).length > 0 && { 'chart-guards': guardCurves(events) }),
    ...(trained && {
      'chart-training': trainingCurves(events, namedLoss(record.parameters)),
      'chart-logps': logProbabilityCurves(events),
    }),
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
    trainingSection(run, figures),
    sampleSection(run, figures),
    ...audioSections(content),
    ...workerSections(run),
    parameterSection(run),
  ];
}

/** The places of those charts that there are, or the sentence that says why there are none. */
function charts(run: RecordedRun, figures: Figures, names: FigureName[], otherwise: string): string {
  const places = names.flatMap((name) => {
    const figure = figures[name];
    return figure ? [figurePlace(name, figure, captionOf(name, figure, run), STILL_PIXELS[name])] : [];
  });
  return places.length > 0 ? places.join('\n') : note(otherwise);
}

function rewardSection(run: RecordedRun, figures: Figures): Section {
  const { events, record } = run;
  const tables = (['test', 'train'] as const).map(
    (split) =>
      `<h3>Every evaluation on ${splitName(split)}</h3>${scrolling(evaluationTable(events, split))}${scrolling(rewardChangeTable(events, split))}`,
  );
  const details = `${scrolling(beforeAfterTable(events))}
${scrolling(changeTable(events))}${note(PAIRED_NOTE)}
${promptsHtml(events, record.instructions)}
<details><summary>Statistics of every evaluation</summary>${tables.join('')}</details>`;
  const html =
    charts(run, figures, ['chart-rewards'], NOT_EVALUATED) + (figures['chart-rewards'] ? details : '');
  return { id: 'reward', title: 'Reward', html };
}

/** Nothing for a run without guards. */
function guardSections(run: RecordedRun, figures: Figures): Section[] {
  const { events } = run;
  const notices = eventsOf(events, 'notice')
    .filter(({ message }) => message !== TARGET_WARNING)
    .map(({ message }) => note(message));
  if (!figures['chart-guards'] && notices.length === 0) return [];
  const warnings = eventsOf(events, 'guarded').flatMap(({ iteration, warnings }) =>
    warnings.map((sentence) => warning(`${policyName(iteration)}: ${sentence}`)),
  );
  const html = [
    ...warnings,
    charts(run, figures, ['chart-guards'], NOT_EVALUATED),
    scrolling(guardTable(events)),
    ...notices,
  ].join('\n');
  return [{ id: 'guard', title: 'Guard against reward hacking', html }];
}

function pairSections({ events }: RecordedRun): Section[] {
  if (eventsOf(events, 'paired').length === 0) return [];
  const isWarned = eventsOf(events, 'notice').some(({ message }) => message === TARGET_WARNING);
  const warned = isWarned ? warning(TARGET_WARNING) + '\n' : '';
  return [{ id: 'preference', title: 'Preference pairs', html: warned + pairsHtml(events) }];
}

function trainingSection(run: RecordedRun, figures: Figures): Section {
  const html = charts(run, figures, ['chart-training', 'chart-logps'], NOT_TRAINED);
  return { id: 'training', title: 'Training', html };
}

function sampleSection(run: RecordedRun, figures: Figures): Section {
  const html = `<div class="two">${charts(run, figures, ['chart-distribution', 'chart-lengths'], NOT_EVALUATED)}</div>`;
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
  const machine = record.device ? note(`Computed on ${describeRunDevice(record.device)}.`) : '';
  const html = `${meanings(parameters)}
<details><summary>Machine, versions and times</summary>
${machine}<div class="two"><div>${htmlTable(versions)}</div><div>${htmlTable(timingTable(record.timings))}</div></div></details>`;
  return { id: 'parameters', title: 'Parameters', html };
}
