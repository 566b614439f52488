import { commandText } from '../command-text.js';
import { chooseDevice, deviceChoices, type DeviceChoice } from '../engine/index.js';
import { isPlainError, yieldingFirst } from '../plain-error.js';
import { restorePolicy } from '../policy/policy.js';
import type { RunEvent } from '../run/events.js';
import { openExperiment, type RunOptions } from './experiment.js';
import type { GivenDevice } from './open.js';
import { iterate } from '../experiment/iterate.js';
import type { Run } from '../experiment/run.js';
import { whileLocked } from '../run/lock.js';
import { recordRun } from '../run/record.js';
import { findResumePoint } from '../experiment/resume-point.js';
import { cutRecord, describeRunDevice, readRun, type RunRecord } from '../run/run-files.js';
import type { GivenWorkers } from '../farm/option.js';
import { withIterations } from './more-iterations.js';
import { openFarm } from './open-farm.js';
import { checkOwn, type OwnParts } from './own-parts.js';
import { createWorkClock } from '../run/work-clock.js';
import { withTensorBoard } from '../tensorboard/tensorboard.js';

/**
 * Goes on with a run that was interrupted, killed or failed, from what is complete on disk, or with a finished one that gets more
 * iterations. On the same machine its files come out as those of a run that was left alone, or began with so many iterations, bit for
 * bit; log_training.log and run.json tell of the interruption, and the model cards of earlier checkpoints have the number of iterations
 * as it was. Yields the run's earlier events first; of a run that stays finished only these.
 *
 * @param directory `model_output/{name}` or `output/{name}`
 * @param options `iterations`: how many the run is to have in all, at least as many as it has. What was given to the run when it began has
 *   to be given again. Without a device the run goes on where run.json says that it computes; on another one it may come to other numbers
 * @throws Error in one sentence when there is no such run, another process is writing it, its device cannot be had, what is given is not
 *   what it began with, or its iterations cannot be raised ({@link withIterations})
 */
export const resumeExperiment = yieldingFirst(async function* (
  directory: string,
  options: OwnParts &
    GivenDevice &
    GivenWorkers &
    Pick<RunOptions, 'signal' | 'onNotice'> & { iterations?: number } = {},
): AsyncGenerator<RunEvent> {
  const { signal, iterations } = options;
  const { directories } = await readRun(directory);
  const { name: run, modelDirectory, outputDirectory } = directories;
  yield* whileLocked(modelDirectory, async function* () {
    const recorded = await readRun(directory);
    const { events } = recorded;
    const record = iterations === undefined ? recorded.record : await withIterations(recorded, iterations);
    if (record.state === 'finished') {
      yield { type: 'started', run, modelDirectory, outputDirectory, isFinished: true };
      yield* events;
      return;
    }
    const raising = iterations === undefined ? [] : ['--iterations', String(iterations)];
    const again = commandText('resume', directory, ...raising);
    checkOwn(record, options, { directory, again });
    await using chosen = await openRecordedDevice(record, options, again);
    await using opened = await openExperiment(record.parameters, { ...options, ...chosen });
    const { policy, point, events: kept, description } = await findResumePoint(directories, events);
    const began = recorded.record.parameters.iterations;
    const { iterations: now } = record.parameters;
    const how = now > began ? `to ${now} iterations in place of ${began}, ${description}` : description;
    if (policy) await restorePolicy(opened.policy, policy);
    const parts = { ...opened, directories, clock: createWorkClock(), signal };
    await using farm = await openFarm(
      opened.queue,
      parts,
      outputDirectory,
      policy ?? opened.policy.directory,
    );
    const inputs: Run = { ...parts, farm: farm?.farm };
    const earlier = await cutRecord(directories, record, kept);
    const device = describeRunDevice(opened.computing!);
    if (point) yield { type: 'started', run, modelDirectory, outputDirectory, resumed: how, device };
    else options.onNotice?.(`run ${run} goes on ${how}`);
    yield* events.slice(0, kept);
    const told = { events: events.slice(0, kept), startedAt: record.startedAt };
    const going = withTensorBoard(iterate(inputs, point), inputs, told);
    const resumed = { record: earlier, how };
    const recording = recordRun(going, { ...inputs, workers: farm?.workers, resumed });
    yield* inputs.clock.whileRead(recording);
    farm?.setOver();
  });
});

/** Closes the device when it was opened here, and not when it was given. */
type Reopened = GivenDevice & AsyncDisposable;

/**
 * @param again the command that goes on with the run
 * @throws Error in one sentence when the run's device cannot be had, and no other is given
 */
async function openRecordedDevice(
  { run, device: began }: RunRecord,
  { device, reason, tf32 }: GivenDevice,
  again: string,
): Promise<Reopened> {
  const isNamed = deviceChoices.some((choice) => choice === began?.name);
  const isSame = (description: string) => !began || began.description === description;
  if (device) {
    const moved = isSame(device.description) ? '' : `; the run began on ${began!.description}`;
    return {
      device,
      reason: `${reason ?? 'given'}${moved}`,
      tf32,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  if (began && !isNamed)
    throw new Error(
      `run ${run} computes on a device of its own, ${began.name}; give it again, as resumeExperiment(directory, { device }), or another one, as ${again} --device cpu`,
    );
  try {
    const choice = (began?.name ?? 'cpu') as DeviceChoice;
    const chosen = await chooseDevice(choice, { tf32: began?.tf32 });
    const moved = !isSame(chosen.device.description);
    return { ...chosen, reason: moved ? `the run began on ${began!.description}` : 'as the run began' };
  } catch (error) {
    if (!isPlainError(error)) throw error;
    throw new Error(
      `run ${run} computes on ${began!.description}, which cannot be had: ${error.message}; to go on elsewhere, name a device: ${again} --device cpu`,
      { cause: error },
    );
  }
}
