import { join } from 'node:path';
import { appendLine, writeFileAtomic } from '../checkpoint/atomic.js';
import { folderBytes, formatBytes } from '../checkpoint/folder-size.js';
import type { Reward } from '../reward/reward.js';
import { RUN_FILE, type RunDirectories } from './directories.js';
import { isPassing, type RecordedEvent, type RunEvent, type WorkerStatus } from './events.js';
import { createFleetLog, createLog, describeEvent, describeParameters } from './log.js';
import { readVersions } from './versions.js';
import type { Parameters } from './parameters.js';
import { betterOf } from './best-iteration.js';
import {
  describeBest,
  describeRunDevice,
  LOG_FILE,
  METRICS_FILE,
  type OwnPart,
  type RunDevice,
  type RunRecord,
  type RunWorkers,
} from './run-files.js';

/** A run that is recorded. */
interface Recorded {
  directories: RunDirectories;
  parameters: Parameters;
  reward?: Pick<Reward, 'name' | 'label'>;
  /** By what the pairs were made that it was given. */
  pairsReward?: string;
  /** What was given to the run. */
  own?: readonly OwnPart[];
  computing?: RunDevice;
  /** The queue whose workers sample and score, where there is one. */
  workers?: Pick<RunWorkers, 'address' | 'mixed'>;
  signal?: AbortSignal;
  /** The record so far of a run that goes on, and how it does. */
  resumed?: { record: RunRecord; how: string };
}

/**
 * Passes a run's events on and records them in the model directory: log_training.log, metrics.jsonl and run.json, which tells at the end
 * whether the run finished, failed or was interrupted (its signal aborted, or its consumer left). An event that is in metrics.jsonl is on
 * disk, and so are the files that it tells of.
 */
export async function* recordRun(
  events: AsyncGenerator<RunEvent>,
  run: Recorded,
  now: () => Date = () => new Date(),
): AsyncGenerator<RunEvent> {
  const { directories, parameters, signal } = run;
  const log = createLog(join(directories.modelDirectory, LOG_FILE), now);
  const record = await openRecord(run, now);
  const earlierFleet = record.workers?.fleet ?? [];
  const describeFleet = createFleetLog();
  await writeRecord(directories, record);
  for (const line of describeBeginning(run)) log('INFO', line);
  let lastIteration = -1;
  try {
    for await (const event of events) {
      if ('iteration' in event && event.iteration > lastIteration) {
        lastIteration = event.iteration;
        log('INFO', `-----------Starting iteration ${lastIteration}-----------`);
      }
      for (const { level, message } of describeEvent(event)) log(level, message);
      if (event.type === 'saved') log('INFO', await describeRoom(directories, event.directory, parameters));
      if (event.type === 'fleet') {
        for (const { level, message } of describeFleet(event)) log(level, message);
        if (record.workers) record.workers.fleet = joinFleets(earlierFleet, event.workers);
      }
      if (event.type === 'started' && event.instructions) record.instructions = event.instructions;
      if (event.type === 'evaluated') updateBest(record, event);
      await recordEvent(directories, record, event);
      yield event;
    }
    record.state = 'finished';
  } catch (error) {
    record.state = signal?.aborted ? 'interrupted' : 'failed';
    if (record.state === 'failed') record.error = (error as Error).message;
    throw error;
  } finally {
    const failed = record.state !== 'finished';
    if (record.state === 'running') record.state = 'interrupted';
    record.finishedAt = now().toISOString();
    const writing = async () => {
      if (record.state === 'interrupted') log('WARNING', 'Interrupted');
      if (record.error) log('ERROR', record.error);
      await writeRecord(directories, record);
    };
    // Where the run failed for a full disk this fails as well, and the first reason is the one to tell.
    await writing().catch((error: unknown) => {
      if (!failed) throw error;
    });
  }
}

/** What run.json says when the run begins or goes on. */
async function openRecord(
  { directories, parameters, reward, pairsReward, own = [], computing, workers, resumed }: Recorded,
  now: () => Date,
): Promise<RunRecord> {
  const record: RunRecord = resumed?.record ?? {
    run: directories.name,
    state: 'running',
    seed: parameters.seed,
    parameters,
    ...(reward && { reward: { name: reward.name, label: reward.label } }),
    ...(pairsReward !== undefined && { pairsReward }),
    ...(own.length > 0 && { own: [...own] }),
    ...(computing && { device: computing }),
    versions: await readVersions(),
    startedAt: now().toISOString(),
    timings: [],
  };
  if (computing) record.device = computing;
  if (workers)
    record.workers = {
      ...workers,
      mixed: workers.mixed || (record.workers?.mixed ?? false),
      fleet: record.workers?.fleet ?? [],
    };
  return record;
}

/** The log's first lines, or those with which it goes on. */
function describeBeginning({ directories, parameters, computing, workers, resumed }: Recorded): string[] {
  return [
    ...(resumed ? [`Resumed ${resumed.how}`] : describeParameters(directories.name, parameters)),
    ...(computing ? [`Device: ${describeRunDevice(computing)}`] : []),
    ...(workers ? [`Workers: ${workers.address}${workers.mixed ? ', of any kind of device' : ''}`] : []),
  ];
}

/** What a checkpoint takes on the disk, and what all do that the run keeps. */
async function describeRoom(
  { modelDirectory }: RunDirectories,
  directory: string,
  { keepCheckpoints, iterations }: Parameters,
): Promise<string> {
  const bytes = await folderBytes(join(modelDirectory, directory));
  const kept = keepCheckpoints === 'all' ? iterations : 1;
  return `${directory} takes ${formatBytes(bytes)}; keepCheckpoints ${keepCheckpoints} leaves ${formatBytes(kept * bytes)} at the end`;
}

function updateBest(record: RunRecord, event: Extract<RunEvent, { type: 'evaluated' }>): void {
  const candidate = describeBest([event]);
  if (candidate) record.best = betterOf(record.best, candidate);
}

/** What workers did in a run's earlier sessions and in this one, by their names; those without a result are left out. */
function joinFleets(earlier: RunWorkers['fleet'], workers: readonly WorkerStatus[]): RunWorkers['fleet'] {
  const fleet = new Map(earlier.map((worker) => [worker.name, worker]));
  for (const { name, device, items, seconds } of workers.filter((worker) => worker.items > 0)) {
    const before = fleet.get(name);
    fleet.set(name, {
      name,
      device: device || (before?.device ?? ''),
      items: items + (before?.items ?? 0),
      seconds: seconds + (before?.seconds ?? 0),
    });
  }
  return [...fleet.values()];
}

async function recordEvent(directories: RunDirectories, record: RunRecord, event: RunEvent): Promise<void> {
  if (isPassing(event) || event.type === 'started') return;
  let recorded: RecordedEvent = event;
  if ('seconds' in event) {
    const { seconds, trainingSeconds, ...rest } = { trainingSeconds: undefined, ...event };
    recorded = rest;
    record.timings.push({
      event: event.type,
      ...('iteration' in event && { iteration: event.iteration }),
      ...('split' in event && { split: event.split }),
      seconds,
      ...(trainingSeconds !== undefined && { trainingSeconds }),
    });
    await writeRecord(directories, record);
  }
  await appendLine(join(directories.modelDirectory, METRICS_FILE), JSON.stringify(recorded));
}

async function writeRecord({ modelDirectory }: RunDirectories, record: RunRecord): Promise<void> {
  await writeFileAtomic(join(modelDirectory, RUN_FILE), JSON.stringify(record, null, 2) + '\n');
}
