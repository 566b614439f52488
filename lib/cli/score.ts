import { Command } from 'commander';
import type { Device } from '../engine/index.js';
import type { GivenWorkers } from '../farm/option.js';
import { scoreOnWorkers } from '../jobs/score-on-workers.js';
import { runsScorers } from '../jobs/scorers.js';
import type { FleetStatus } from '../run/events.js';
import { METRIC_NAMES, type MetricName, type MetricScore } from '../scoring/metrics.js';
import {
  checkMetrics,
  fileProblem,
  scoreFiles,
  type FileScores,
  type ScoreFilesOptions,
} from '../scoring/score-files.js';
import { DEFAULT_WHISPER } from '../scoring/transcribe.js';
import { showableText } from '../view/escape.js';
import { createFleetNews } from '../view/fleet.js';
import { formatNumber } from '../format.js';
import { nameOf, partsOf } from '../view/metric-table.js';
import { numberColumn } from '../view/table.js';
import { createCounter } from './bar.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { EXIT } from './exit-code.js';
import { endedBy } from './interrupt.js';
import { parseList } from './parameter-options.js';
import { sayOnStderr } from './standard-streams.js';
import { fittedTable, terminalColumns } from './terminal.js';
import { givenWorkers, workersOptions } from './workers-option.js';

const TRANSCRIBER =
  'recognizer of transcript, wer and cer: a Whisper model with ONNX weights, a name or a folder, or faster-whisper[:MODEL]';

type ScoreOptions = DeviceOptions &
  GivenWorkers &
  Pick<ScoreFilesOptions, 'reference' | 'text' | 'transcriber'> & { metric: MetricName[]; json: boolean };

/**
 * `speech-dpo score`: scores recordings.
 *
 * @param endWith is told the exit code where not all that was asked for could be given
 */
export function scoreCommand(signal: AbortSignal, endWith: (exitCode: number) => void): Command {
  const command = new Command('score')
    .description(
      'score recordings (WAV): quality, intelligibility, level, words. What can be scored is printed; the exit code is 2 where a file or a metric is missing, and 1 where a metric has no score of a recording, as nisqa has none of one shorter than 0.14 s',
    )
    .argument('<files...>', 'recordings to score')
    .option('--metric <names>', `of ${METRIC_NAMES.join(', ')}; several with commas`, parseList, ['nisqa'])
    .option(
      '--reference <file>',
      'recording that stoi, estoi, pesq (undamaged) and similarity (of the same speaker) compare with',
    )
    .option('--text <words>', 'what is said in the recordings, which wer and cer compare with')
    .option('--transcriber <name>', `${TRANSCRIBER}; default: WHISPER_MODEL, else ${DEFAULT_WHISPER}`)
    .option('--json', 'print JSON', false)
    .action(async (files: string[], { metric: metrics, ...options }: ScoreOptions) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      const { device } = chosen;
      const scored = scoreRecordings(files, {
        ...options,
        ...givenWorkers(options),
        device,
        metrics,
        signal,
      });
      const exitCode = await endedBy(signal, scored);
      if (exitCode !== EXIT.done) endWith(exitCode);
    });
  for (const option of [...workersOptions(), ...deviceOptions()]) command.addOption(option);
  return command;
}

interface ScoreRecordingsOptions extends Omit<ScoreFilesOptions, 'device' | 'onMissing'>, GivenWorkers {
  /** Where to compute, or of which kind workers must be. */
  device: Device;
  /** Print JSON for programs instead of a table for people. */
  json: boolean;
}

/**
 * Scores WAV files and prints them as a table, or as JSON {"FILE": {"METRIC": ..., "error": ...}} in which what is not finite (the
 * level of silence) is null. In the table's place for errors stand lines on standard error, where a terminal also shows progress. Where no
 * file can be read, nothing is loaded or downloaded.
 *
 * @returns the exit code
 */
async function scoreRecordings(files: readonly string[], options: ScoreRecordingsOptions): Promise<number> {
  checkMetrics(options);
  const unread = await readNone(files);
  if (unread) return printScores(unread, options, []);
  const results = new Map<string, FileScores>();
  const missing: MetricName[] = [];
  const counter = files.length > 1 ? createCounter(process.stderr, 'scoring files') : undefined;
  const onMissing = (metric: MetricName, { message }: Error) => {
    missing.push(metric);
    counter?.stop();
    sayOnStderr(`error: ${metric} is left out: ${message}`);
  };
  const showProgress = () => counter?.show(results.size, files.length);
  showProgress();
  try {
    for await (const [file, scores] of scoreSomewhere(files, { ...options, onMissing })) {
      results.set(file, scores);
      showProgress();
    }
  } catch (error) {
    counter?.stop();
    // What is scored by then is not lost.
    if (results.size > 0) await printScores(results, options, missing);
    throw error;
  } finally {
    counter?.stop();
  }
  return printScores(results, options, missing);
}

/** Why each file cannot be read; undefined where one can. */
async function readNone(files: readonly string[]): Promise<Map<string, FileScores> | undefined> {
  const problems = new Map<string, FileScores>();
  for (const file of files) {
    const error = await fileProblem(file);
    if (error === undefined) return undefined;
    problems.set(file, { error });
  }
  return problems;
}

/** On workers where they are asked for; of them is told what a person should know. */
function scoreSomewhere(
  files: readonly string[],
  options: ScoreRecordingsOptions & Pick<ScoreFilesOptions, 'onMissing'>,
): AsyncGenerator<[string, FileScores]> {
  const { workers, device, ...others } = options;
  const given = { ...others, onNotice: sayOnStderr };
  if (workers === undefined)
    return scoreFiles(files, { ...given, device: runsScorers(device) ? device : undefined });
  const fleetNews = createFleetNews();
  const onFleet = (status: FleetStatus) => {
    for (const sentence of fleetNews(status, performance.now() / 1000)) sayOnStderr(sentence);
  };
  return scoreOnWorkers(files, { ...given, workers, device, onFleet });
}

/** @returns the exit code */
async function printScores(
  results: ReadonlyMap<string, FileScores>,
  { json, metrics }: ScoreRecordingsOptions,
  missing: readonly MetricName[],
): Promise<number> {
  const isScored = [...results.values()].some((scores) => metrics.some((metric) => metric in scores));
  if (json) process.stdout.write(`${JSON.stringify(Object.fromEntries(results), undefined, 2)}\n`);
  else if (isScored) {
    const there = metrics.filter((metric) => !missing.includes(metric));
    process.stdout.write(`${formatScores(results, there, terminalColumns())}\n`);
  }
  let exitCode: number = missing.length > 0 ? EXIT.wrongInput : EXIT.done;
  for (const [file, { error }] of results) {
    if (error === undefined) continue;
    if (!json) process.stderr.write(`error: ${showableText(error)}\n`);
    const isUnread = (await fileProblem(file)) !== undefined;
    exitCode = Math.max(exitCode, isUnread ? EXIT.wrongInput : EXIT.checkFailed);
  }
  return exitCode;
}

/**
 * One row for each file, one column for each figure, "-" where there is none; below, each file's texts.
 *
 * @param width columns that the table may take
 */
export function formatScores(
  results: ReadonlyMap<string, FileScores>,
  metrics: readonly MetricName[],
  width = Infinity,
): string {
  const columns = metrics.flatMap((metric) => {
    const parts = new Set([...results.values()].flatMap((scores) => Object.keys(figuresOf(scores[metric]))));
    return [...parts].map((part) => ({ metric, part, title: nameOf(metric, part) }));
  });
  const rows = [...results].map(([file, scores]) => [
    file,
    ...columns.map(({ metric, part }) => {
      const figure = figuresOf(scores[metric])[part];
      return figure === undefined ? '-' : formatNumber(figure, 3);
    }),
  ]);
  const titles = columns.map(({ title }) => numberColumn(title));
  const table = fittedTable({ columns: [{ title: 'file' }, ...titles], rows }, width);
  const texts = [...results].flatMap(([file, scores]) =>
    metrics.flatMap((metric) =>
      textsOf(scores[metric]).map(([part, text]) =>
        showableText(`\n\n${file}, ${nameOf(metric, part)}:\n${text}`),
      ),
    ),
  );
  return table + texts.join('');
}

/** A score's figures by name; a single one has none. */
function figuresOf(score: MetricScore | undefined): Readonly<Record<string, number>> {
  return Object.fromEntries(
    partsOf(score).filter((part): part is [string, number] => typeof part[1] === 'number'),
  );
}

/** A score's texts with their names. */
function textsOf(score: MetricScore | undefined): [string, string][] {
  return partsOf(score).filter((part): part is [string, string] => typeof part[1] === 'string');
}
