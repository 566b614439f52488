import type { Device } from '../engine/index.js';
import { loadPretrained } from '../checkpoint/pretrained.js';
import type { RunEvent } from '../run/events.js';
import { openExperiment } from './experiment.js';
import { iterate } from '../experiment/iterate.js';
import type { Run } from '../experiment/run.js';
import { whileLocked } from '../run/lock.js';
import { recordRun } from '../run/record.js';
import { findResumePoint } from '../experiment/resume-point.js';
import { cutRecord, readRun } from '../run/run-files.js';
import { createWorkClock } from '../run/work-clock.js';

/**
 * Goes on with a run that was interrupted, killed or failed, from what is complete on disk. On the same machine its files come out as
 * those of a run that was left alone, bit for bit; log_training.log and run.json tell of the interruption. Yields the run's earlier
 * events first; of a finished run only these.
 *
 * @param directory `model_output/{name}` or `output/{name}`
 * @throws Error in one sentence when there is no such run, or another process is writing it
 */
export async function* resumeExperiment(
  directory: string,
  { signal, device }: { signal?: AbortSignal; device?: Device } = {},
): AsyncGenerator<RunEvent> {
  const { directories } = await readRun(directory);
  const { name: run, modelDirectory, outputDirectory } = directories;
  yield* whileLocked(modelDirectory, async function* () {
    const { record, events } = await readRun(directory);
    if (record.state === 'finished') {
      yield { type: 'started', run, modelDirectory, outputDirectory, resumed: 'no more: it is finished' };
      yield* events;
      return;
    }
    await using opened = await openExperiment(record.parameters, { signal, device });
    const { policy, point, events: kept, description: how } = await findResumePoint(directories, events);
    if (policy) {
      const { weights } = await loadPretrained(policy);
      for (const [name, tensor] of weights) opened.policy.weights.set(name, tensor);
    }
    const inputs: Run = { ...opened, directories, clock: createWorkClock(), signal };
    const earlier = await cutRecord(directories, record, kept);
    if (point) yield { type: 'started', run, modelDirectory, outputDirectory, resumed: how };
    yield* events.slice(0, kept);
    const going = recordRun(iterate(inputs, point), { ...inputs, resumed: { record: earlier, how } });
    yield* inputs.clock.whileRead(going);
  });
}
