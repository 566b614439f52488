import { join } from 'node:path';
import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import { WORKERS_VARIABLE, type GivenWorkers } from '../farm/option.js';
import { isPassing, ORIGINAL, type RunEvent } from '../run/events.js';
import { runExperiment, type OwnParts } from '../jobs/experiment.js';
import type { Parameters } from '../run/parameters.js';
import { resumeExperiment } from '../jobs/resume.js';
import { rewardLabel } from '../reward/built-in.js';
import { labelOf, readRun } from '../run/run-files.js';
import type { EventOf } from '../view/run-events.js';
import { notebookKernel, printNotice } from './notebook-kernel.js';
import { openLiveArea } from './live-area.js';
import type { OnNotice } from '../notice.js';

/**
 * A run that a notebook takes forward cell by cell, each with a live progress area of its own. The stop button ends it in good order; the
 * same cell run again goes on with it.
 */
export interface LiveRun {
  readonly name: string;
  readonly outputDirectory: string;
  readonly modelDirectory: string;
  /** What its rewards are called on axes. */
  readonly rewardLabel: string;
  /** What happened so far, without progress. */
  readonly events: readonly RunEvent[];
  /** Evaluates the policy as it is, on training and on held-out prompts. */
  evaluateOriginal(): Promise<void>;
  /** Runs all iterations to the end. */
  iterate(): Promise<void>;
}

/** Parts of your own, where the run is, where it computes, and who samples and scores. */
export interface LiveRunOptions extends OwnParts, Omit<GivenWorkers, 'workers'> {
  /** Default: "auto" as in `chooseDevice`; of a run that goes on, the one that it began on. */
  device?: DeviceChoice;
  /** Folder with output/ and model_output/; default: the project, one folder above the notebooks. */
  root?: string;
  /** Address of the queue whose workers sample and score; null: this process does; default: SPEECH_DPO_WORKERS, else this process. */
  workers?: string | null;
}

/** The workers that a notebook asks for, by an option or by SPEECH_DPO_WORKERS. */
export function workersFor({ workers, ...others }: NotebookWorkers): GivenWorkers {
  const address = workers === undefined ? process.env[WORKERS_VARIABLE] : workers;
  return address ? { ...others, workers: address } : {};
}

type NotebookWorkers = Omit<GivenWorkers, 'workers'> & Pick<LiveRunOptions, 'workers'>;
type Given = OwnParts & GivenWorkers;

type Begin = (options: { signal: AbortSignal; onNotice: OnNotice }) => AsyncGenerator<RunEvent>;

/**
 * Loads everything a run needs, makes its directories and writes its prompts' audio; {@link LiveRun} goes on from there.
 *
 * @param options a reward of your own: `openRun(parameters, { reward: rewardOf('short', 'codes', ({ codes }) => -codes.length) })`
 * @throws Error in one sentence for parameters, files or a device that cannot be used
 */
export function openRun(
  parameters: Parameters,
  { root = '..', device = 'auto', workers, allowMixed, serveAt, ...parts }: LiveRunOptions = {},
): Promise<LiveRun> {
  const own = { ...parts, ...workersFor({ workers, allowMixed, serveAt }) };
  const label = own.reward?.label ?? rewardLabel(parameters);
  return follow(parameters, label, own, async function* (options) {
    await using chosen = await chooseDevice(device);
    yield* runExperiment(parameters, { ...own, ...options, ...chosen, root });
  });
}

/**
 * Opens a run that was interrupted, also one of another notebook, of the command line or from before a restart of the kernel.
 * {@link LiveRun} goes on from what is complete on disk and comes to the files that the run would have come to if left alone.
 *
 * @param name of the run under output/ and model_output/, for example 0601-1200
 * @param options what was given to the run when it began: `resumeRun('0601-1200', { reward })`
 * @throws Error in one sentence when there is no such run, or it began with something else
 */
export async function resumeRun(
  name: string,
  { root = '..', device, workers, allowMixed, serveAt, ...parts }: LiveRunOptions = {},
): Promise<LiveRun> {
  const own = { ...parts, ...workersFor({ workers, allowMixed, serveAt }) };
  const { record, directories } = await readRun(join(root, 'model_output', name));
  return follow(record.parameters, labelOf(record), own, async function* (options) {
    await using chosen = device === undefined ? null : await chooseDevice(device);
    yield* resumeExperiment(directories.modelDirectory, { ...own, ...options, ...chosen });
  });
}

async function follow(parameters: Parameters, label: string, own: Given, begin: Begin): Promise<LiveRun> {
  const events: RunEvent[] = [];
  let started: EventOf<'started'> | undefined;
  let current: { stream: AsyncGenerator<RunEvent>; stop: AbortController } | undefined = open(begin);
  let isFinished = false;
  /** The cell before this one: the stop button may have ended it while its last step was still under way. */
  let previous = Promise.resolve();

  // What the guards measure comes after the rewards.
  const lastOfEvaluation = parameters.guard || parameters.guardPairs ? 'guarded' : 'evaluated';
  const isOriginalEvaluated = (event: RunEvent) =>
    event.type === lastOfEvaluation &&
    event.iteration === ORIGINAL &&
    !('split' in event && event.split === 'train');

  function advance(title: string, until: (event: RunEvent) => boolean): Promise<void> {
    const done = previous.then(() => show(title, until));
    previous = done.catch(() => undefined);
    return done;
  }

  async function show(title: string, until: (event: RunEvent) => boolean): Promise<void> {
    if (isFinished || (current && events.some(until))) return;
    if (!current) {
      // Tells what happened from the beginning.
      events.length = 0;
      current = open((options) => resumeExperiment(started!.modelDirectory, { ...own, ...options }));
    }
    const { stream, stop } = current;
    const area = openLiveArea(title);
    const button = notebookKernel().interruptSignal();
    const onStop = () => {
      stop.abort(button.reason);
    };
    button.addEventListener('abort', onStop);
    try {
      for (;;) {
        const { value: event, done } = await stream.next();
        if (done) {
          isFinished = true;
          break;
        }
        if (event.type === 'started') started = event;
        if (!isPassing(event)) events.push(event);
        area.show(event);
        if (until(event)) break;
      }
      area.end();
    } catch (error) {
      current = undefined;
      const how = stop.signal.aborted ? 'stopped' : 'failed';
      // What the environment names is named again.
      const isGivenWorkers = own.workers !== undefined && own.workers !== process.env[WORKERS_VARIABLE];
      const given = [...(own.reward ? ['reward'] : []), ...(isGivenWorkers ? ['workers'] : [])];
      const options = given.length > 0 ? `, { ${given.join(', ')} }` : '';
      area.end(started ? `${how}; to go on: this cell again, or resumeRun('${started.run}'${options})` : how);
      throw error;
    } finally {
      button.removeEventListener('abort', onStop);
    }
  }

  await advance('loading policy, codec and prompts ...', isPastLoading);
  const { run: name, outputDirectory, modelDirectory } = started!;
  return {
    name,
    outputDirectory,
    modelDirectory,
    rewardLabel: label,
    events,
    evaluateOriginal: () => advance('compiling the policy ...', isOriginalEvaluated),
    iterate: () => advance('starting ...', () => false),
  };
}

function open(begin: Begin) {
  const stop = new AbortController();
  return { stream: begin({ signal: stop.signal, onNotice: printNotice }), stop };
}

/** The first event after the prompts' audio is written. */
function isPastLoading({ type }: RunEvent): boolean {
  return type !== 'started' && type !== 'notice';
}
