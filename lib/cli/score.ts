import type { Device } from '../engine/index.js';
import type { GivenWorkers } from '../farm/option.js';
import { scoreOnWorkers } from '../jobs/score-on-workers.js';
import { runsScorers } from '../jobs/scorers.js';
import type { FleetStatus } from '../run/events.js';
import type { MetricName, Score } from '../scoring/metrics.js';
import { scoreFiles, type FileScores, type ScoreFilesOptions } from '../scoring/score-files.js';
import { showableText } from '../view/escape.js';
import { fleetTrouble } from '../view/fleet.js';
import { formatDuration, formatNumber } from '../view/format.js';
import { textTable } from '../view/table.js';
import { createBar } from './bar.js';
import { sayOnStderr } from './standard-streams.js';

export interface ScoreCommandOptions extends Omit<ScoreFilesOptions, 'device'>, GivenWorkers {
  /** Where to compute, or of which kind workers must be. */
  device: Device;
  /** Print JSON for programs instead of a table for people. */
  json: boolean;
}

/**
 * Scores WAV files and prints them as a table, or as JSON {"FILE": {"METRIC": ..., "error": ...}} in which what is not finite (the
 * level of silence) is null. In the table's place for errors stand lines on standard error, where a terminal also shows progress.
 *
 * @returns whether every file could be scored by every metric
 */
export async function scoreRecordings(
  files: readonly string[],
  options: ScoreCommandOptions,
): Promise<boolean> {
  const results = new Map<string, FileScores>();
  const bar = files.length > 1 && process.stderr.isTTY ? createBar(process.stderr) : undefined;
  const startMs = performance.now();
  const showProgress = () => {
    const [done, total] = [results.size, files.length];
    const seconds = (performance.now() - startMs) / 1000;
    const fields = done > 0 ? { remaining: `${formatDuration((seconds / done) * (total - done))} left` } : {};
    bar?.show({ job: 'scoring files', done, total, fields });
  };
  showProgress();
  try {
    for await (const [file, scores] of scoreSomewhere(files, options)) {
      results.set(file, scores);
      showProgress();
    }
  } catch (error) {
    bar?.stop();
    // What is scored by then is not lost.
    if (results.size > 0) printScores(results, options);
    throw error;
  } finally {
    bar?.stop();
  }
  return printScores(results, options);
}

/** On workers where they are asked for; what they lack is said once, for a person to mend. */
function scoreSomewhere(
  files: readonly string[],
  options: ScoreCommandOptions,
): AsyncGenerator<[string, FileScores]> {
  const { workers, device, ...others } = options;
  const given = { ...others, onNotice: sayOnStderr };
  if (workers === undefined)
    return scoreFiles(files, { ...given, device: runsScorers(device) ? device : undefined });
  const said = new Set<string>();
  const onFleet = (status: FleetStatus) => {
    for (const sentence of fleetTrouble(status)) {
      if (!said.has(sentence)) sayOnStderr(sentence);
      said.add(sentence);
    }
  };
  return scoreOnWorkers(files, { ...given, workers, device, onFleet });
}

/** @returns whether every file could be scored by every metric */
function printScores(results: ReadonlyMap<string, FileScores>, options: ScoreCommandOptions): boolean {
  const errors = [...results.values()].flatMap(({ error }) => error ?? []);
  if (options.json) process.stdout.write(`${JSON.stringify(Object.fromEntries(results), undefined, 2)}\n`);
  else {
    process.stdout.write(`${formatScores(results, options.metrics)}\n`);
    for (const error of errors) process.stderr.write(`error: ${showableText(error)}\n`);
  }
  return errors.length === 0;
}

/** One row for each file, one column for each figure, "-" where there is none; below, each file's texts. */
export function formatScores(
  results: ReadonlyMap<string, FileScores>,
  metrics: readonly MetricName[],
): string {
  const columns = metrics.flatMap((metric) => {
    const parts = new Set([...results.values()].flatMap((scores) => Object.keys(figuresOf(scores[metric]))));
    return [...parts].map((part) => ({ metric, part, title: titleOf(metric, part) }));
  });
  const rows = [...results].map(([file, scores]) => [
    file,
    ...columns.map(({ metric, part }) => {
      const figure = figuresOf(scores[metric])[part];
      return figure === undefined ? '-' : formatNumber(figure, 3);
    }),
  ]);
  const table = textTable({
    columns: [{ title: 'file' }, ...columns.map(({ title }) => ({ title, align: 'right' as const }))],
    rows,
  });
  const texts = [...results].flatMap(([file, scores]) =>
    metrics.flatMap((metric) =>
      textsOf(scores[metric]).map(([part, text]) =>
        showableText(`\n\n${file}, ${titleOf(metric, part)}:\n${text}`),
      ),
    ),
  );
  return table + texts.join('');
}

/** A part that is named as its metric, or not at all, needs no second name. */
function titleOf(metric: MetricName, part: string): string {
  return part === '' || part === metric ? metric : `${metric} ${part}`;
}

/** A score's figures by name; a single one has none. */
function figuresOf(score: Score | undefined): Readonly<Record<string, number>> {
  return Object.fromEntries(
    partsOf(score).filter((part): part is [string, number] => typeof part[1] === 'number'),
  );
}

/** A score's texts with their names. */
function textsOf(score: Score | undefined): [string, string][] {
  return partsOf(score).filter((part): part is [string, string] => typeof part[1] === 'string');
}

function partsOf(score: Score | undefined): [string, number | string][] {
  return typeof score === 'object' ? Object.entries(score) : score === undefined ? [] : [['', score]];
}
