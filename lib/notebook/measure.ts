import type { NamedRecording } from '../audio/wav.js';
import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import { runsScorers } from '../jobs/scorers.js';
import { measureRecordings, type Measurement } from '../scoring/measure.js';
import type { Comparison, MetricName } from '../scoring/metrics.js';
import { NO_TEX } from '../view/escape.js';
import { metricNotes, metricTable } from '../view/metric-table.js';
import { htmlTable, textTable, type Table } from '../view/table.js';
import { notebookKernel, openDisplayArea, printNotice } from './notebook-kernel.js';
import { progressBarHtml } from './live-area.js';
import { htmlBundle, type Html } from './show.js';

/**
 * Measures recordings by one metric after the other and shows a table that fills meanwhile. A metric that cannot be had says why and what
 * would help. The stop button ends it; the metric under way is the last.
 *
 * @param options the reference recording or the words, for metrics that compare; `transcriber` is who hears the words, as `TranscriberOptions.model`
 * says; `device` is where NISQA and DNSMOS run, default "auto" as in
 * `chooseDevice`, which is the CPU unless it is a GPU by CUDA
 */
export async function measure(
  recordings: readonly NamedRecording[],
  metrics: readonly MetricName[],
  {
    device: choice = 'auto',
    transcriber,
    ...comparison
  }: Comparison & { device?: DeviceChoice; transcriber?: string } = {},
): Promise<Measurement[]> {
  await using chosen = await chooseDevice(choice);
  const device = runsScorers(chosen.device) ? chosen.device : undefined;
  const options = { device, transcriber, onNotice: printNotice };
  const names = recordings.map(({ name }) => name);
  const signal = notebookKernel().interruptSignal();
  const draw = openDisplayArea();
  const measured: Measurement[] = [];
  const end = (how?: string) => draw(htmlBundle(measuredHtml(names, measured, how)), true);
  const redraw = () => {
    const next: MetricName | undefined = metrics[measured.length];
    if (signal.aborted || next === undefined) return end(signal.aborted ? 'stopped' : undefined);
    const bar = progressBarHtml(`measuring ${next}`, measured.length, metrics.length);
    draw(htmlBundle(measuredHtml(names, measured, 'measuring', bar)));
  };
  // The kernel ends a cell that was stopped without waiting for a slow metric.
  signal.addEventListener('abort', redraw);
  try {
    redraw();
    for await (const measurement of measureRecordings(recordings, comparison, metrics, options)) {
      measured.push(measurement);
      redraw();
      signal.throwIfAborted();
    }
    return measured;
  } catch (error) {
    if (!signal.aborted) end('failed');
    throw error;
  } finally {
    signal.removeEventListener('abort', redraw);
  }
}

/** What the recognizer heard in the first of the recordings; undefined where it was not measured. */
export function transcriptOf(measured: readonly Measurement[]): string | undefined {
  const scores = measured.find(({ metric }) => metric === 'transcript')?.scores;
  if (!scores || scores instanceof Error) return undefined;
  return typeof scores[0] === 'string' ? scores[0] : undefined;
}

/** @param state stands above the tables, as text or as the bar that shows it; default: nothing is left to be done */
function measuredHtml(
  names: readonly string[],
  measured: readonly Measurement[],
  state = '',
  bar = state && `<div>${state}</div>`,
): Html {
  const tables: Table[] = [metricTable(names, measured), metricNotes(names, measured)];
  const filled = tables.filter(({ rows }) => rows.length > 0);
  const html = filled.map(
    (table) => `<div style="overflow-x:auto;margin:0 0 8px 0">${htmlTable(table)}</div>`,
  );
  return {
    html: `<div ${NO_TEX}>${bar}${html.join('')}</div>`,
    text: filled.map(textTable).join('\n\n') || state,
  };
}
