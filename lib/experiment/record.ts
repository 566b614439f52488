import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import type { RunDirectories } from './directories.js';
import type { RecordedEvent, RunEvent } from './events.js';
import { createLog, describeEvent, describeParameters } from './log.js';
import { readVersions } from './package.js';
import type { Parameters } from './parameters.js';
import { LOG_FILE, METRICS_FILE, RUN_FILE, type RunRecord } from './run-files.js';

/**
 * Passes a run's events on and records them in the model directory: log_training.log, metrics.jsonl and run.json, which tells at the end
 * whether the run finished, failed or was interrupted (its signal aborted, or its consumer left).
 */
export async function* recordRun(
  events: AsyncGenerator<RunEvent>,
  run: { directories: RunDirectories; parameters: Parameters; signal?: AbortSignal },
  now: () => Date = () => new Date(),
): AsyncGenerator<RunEvent> {
  const { directories, parameters, signal } = run;
  const log = createLog(join(directories.modelDirectory, LOG_FILE), now);
  const record: RunRecord = {
    run: directories.name,
    state: 'running',
    seed: parameters.seed,
    parameters,
    versions: await readVersions(),
    startedAt: now().toISOString(),
    timings: [],
  };
  await writeRecord(directories, record);
  for (const line of describeParameters(directories.name, parameters)) log('INFO', line);
  let lastIteration = -1;
  try {
    for await (const event of events) {
      if ('iteration' in event && event.iteration > lastIteration) {
        lastIteration = event.iteration;
        log('INFO', `-----------Starting iteration ${lastIteration}-----------`);
      }
      for (const { level, message } of describeEvent(event)) log(level, message);
      await recordEvent(directories, record, event);
      yield event;
    }
    record.state = 'finished';
  } catch (error) {
    record.state = signal?.aborted ? 'interrupted' : 'failed';
    if (record.state === 'failed') {
      record.error = (error as Error).message;
      log('ERROR', record.error);
    }
    throw error;
  } finally {
    if (record.state === 'running') record.state = 'interrupted';
    if (record.state === 'interrupted') log('WARNING', 'Interrupted');
    record.finishedAt = now().toISOString();
    await writeRecord(directories, record);
  }
}

async function recordEvent(
  { modelDirectory }: RunDirectories,
  record: RunRecord,
  event: RunEvent,
): Promise<void> {
  if (event.type === 'progress' || event.type === 'started') return;
  let recorded: RecordedEvent = event;
  if ('seconds' in event) {
    const { seconds, ...rest } = event;
    recorded = rest;
    record.timings.push({
      event: event.type,
      ...('iteration' in event && { iteration: event.iteration }),
      ...('split' in event && { split: event.split }),
      seconds,
    });
  }
  await appendFile(join(modelDirectory, METRICS_FILE), JSON.stringify(recorded) + '\n');
}

async function writeRecord({ modelDirectory }: RunDirectories, record: RunRecord): Promise<void> {
  await writeFileAtomic(join(modelDirectory, RUN_FILE), JSON.stringify(record, null, 2) + '\n');
}
