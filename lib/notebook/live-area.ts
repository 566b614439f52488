import { join } from 'node:path';
import type { FleetStatus, RunEvent } from '../run/events.js';
import { RUN_FILE } from '../run/directories.js';
import { LOG_FILE, METRICS_FILE } from '../run/run-files.js';
import { NO_TEX, escapeHtml } from '../view/escape.js';
import { eventLine } from '../view/event-line.js';
import { fleetLine, fleetTable, fleetTrouble } from '../view/fleet.js';
import { formatCount, formatNumber } from '../format.js';
import { advanceProgress, describeProgress, type ProgressState } from '../view/progress.js';
import { fileLinks } from './links.js';
import { addToCurves, liveChartsHtml, noCurves, type LiveCurves } from './live-chart.js';
import { openDisplayArea } from './notebook-kernel.js';
import { htmlTable } from '../view/table.js';
import { htmlBundle, type Html } from './show.js';

/** Between two pictures of one area; a page that is redrawn more often only gets slow. */
const REDRAW_MS = 120;
/** Lines of finished jobs that an area keeps: what was long ago is in the run's log. */
const KEPT_LINES = 10;
/** Workers that an area shows one by one. */
const SHOWN_WORKERS = 10;

/** JupyterLab would break words. */
const WRAPPED = 'white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere';

/**
 * A place below the cell that shows where a run stands: the job with its bar, rate, remaining time, curves of reward and loss, what is
 * done, and where its files are.
 */
export interface LiveArea {
  show(event: RunEvent): void;
  /** The last picture, without a bar. */
  end(note?: string): void;
}

/** @param earlier what the run has told other cells, for the curves */
export function openLiveArea(title: string, earlier: readonly RunEvent[] = []): LiveArea {
  const draw = openDisplayArea();
  const lines: string[] = [];
  let curves = noCurves();
  for (const event of earlier) addToCurves(curves, event);
  let files: Html | undefined;
  let forgotten = 0;
  let state: ProgressState | undefined;
  let drawnMs = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const redraw = () => {
    drawnMs = performance.now();
    timer = undefined;
    draw(htmlBundle(liveHtml({ title, lines, forgotten, state, curves, files, ended })));
  };
  redraw();
  return {
    show(event) {
      state = advanceProgress(state, event, performance.now() / 1000);
      if (event.type === 'started') {
        // It tells what happened from the beginning.
        curves = noCurves();
        files = filesOf(event);
      }
      addToCurves(curves, event);
      const line = event.type === 'started' ? startLine(event) : eventLine(event);
      if (line !== undefined) {
        lines.push(...line.split('\n'));
        forgotten += lines.splice(0, Math.max(0, lines.length - KEPT_LINES)).length;
      }
      const waitMs = drawnMs + REDRAW_MS - performance.now();
      if (waitMs <= 0) redraw();
      else timer ??= setTimeout(redraw, waitMs);
    },
    end(note) {
      ended = true;
      clearTimeout(timer);
      state = undefined;
      if (note !== undefined) lines.push(note);
      redraw();
    },
  };
}

function liveHtml(area: {
  title: string;
  lines: readonly string[];
  forgotten: number;
  state?: ProgressState;
  curves: LiveCurves;
  files?: Html;
  ended: boolean;
}) {
  const { title, lines, forgotten, state, curves, files, ended } = area;
  const head = state
    ? progressBarHtml(state.job, state.done, state.total, describeProgress(state).detail)
    : lines.length > 0
      ? ''
      : `<div>${escapeHtml(title)}</div>`;
  const shown =
    forgotten > 0 ? [`... ${formatCount(forgotten, 'earlier line')} in log_training.log`, ...lines] : lines;
  const done =
    shown.length > 0
      ? `<pre style="margin:6px 0 0 0;line-height:1.45;font-size:90%;opacity:0.85;${WRAPPED}">${escapeHtml(shown.join('\n'))}</pre>`
      : '';
  const fleet = state?.fleet;
  const under = state ? [describeProgress(state).text, ...(fleet ? fleetLines(fleet) : [])] : [];
  const text = [...shown, ...under, ...(files ? [files.text] : [])].join('\n') || title;
  const workers = fleet ? fleetHtml(fleet) : '';
  const charts = liveChartsHtml(curves, ended);
  const html = `${head}${workers}${charts}${done}${files?.html ?? ''}`;
  return { html: `<div ${NO_TEX} style="min-height:3em">${html}</div>`, text };
}

/** The run's name and device; its folders are links. */
function startLine(event: Extract<RunEvent, { type: 'started' }>): string {
  const [name, ...details] = eventLine(event)!.split('\n');
  return [name, ...details.filter((line) => line.startsWith('  device'))].join('\n');
}

function filesOf({ outputDirectory, modelDirectory }: Extract<RunEvent, { type: 'started' }>): Html {
  return fileLinks(
    ...[
      { text: 'Data, audio, report:' },
      outputDirectory,
      { text: '· log and checkpoints:' },
      modelDirectory,
    ],
    ...[LOG_FILE, METRICS_FILE, RUN_FILE].map((name) => join(modelDirectory, name)),
  );
}

function fleetLines(fleet: FleetStatus): string[] {
  return [fleetLine(fleet), ...fleetTrouble(fleet)];
}

/** How the workers stand, and the first of them as a small table. */
function fleetHtml(fleet: FleetStatus): string {
  const { columns, rows } = fleetTable(fleet);
  const more = rows.length - SHOWN_WORKERS;
  const lines = fleetLines(fleet).map((line) => `<div style="opacity:0.75">${escapeHtml(line)}</div>`);
  const table = rows.length > 0 ? htmlTable({ columns, rows: rows.slice(0, SHOWN_WORKERS) }) : '';
  const rest = more > 0 ? `<div style="opacity:0.75">and ${formatNumber(more, 0)} more</div>` : '';
  return `<div style="margin:6px 0 0 0;font-size:90%">${lines.join('')}${table}${rest}</div>`;
}

/** A job with its bar, as one line. */
export function progressBarHtml(job: string, done: number, total: number, detail = ''): string {
  return (
    `<div><b>${escapeHtml(job)}</b> &nbsp;<progress value="${done}" max="${total}" style="width:240px"></progress>` +
    ` &nbsp;${done}/${total}<span style="opacity:0.75"> &nbsp;${escapeHtml(detail)}</span></div>`
  );
}
