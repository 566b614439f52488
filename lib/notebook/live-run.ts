import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chooseDevice, type DeviceChoice } from '../engine/index.js';
import { WORKERS_VARIABLE, type GivenWorkers } from '../farm/option.js';
import { namedLoss } from '../dpo/losses/named.js';
import type { PreferenceLoss } from '../dpo/preference-loss.js';
import { isDivergence } from '../experiment/diverged.js';
import { isPassing, ORIGINAL, type RunEvent } from '../run/events.js';
import { runExperiment } from '../jobs/experiment.js';
import type { OwnParts } from '../jobs/own-parts.js';
import type { Parameters } from '../run/parameters.js';
import { resumeExperiment } from '../jobs/resume.js';
import { rewardLabel } from '../reward/built-in.js';
import { rewardLabelOf, LOG_FILE, readRun, stateOf, type RecordedRun } from '../run/run-files.js';
import { taughtBy } from '../run/taught-by.js';
import { formatCount } from '../format.js';
import type { EventOf } from '../view/run-events.js';
import { fileLinks } from './links.js';
import { notebookKernel, printNotice } from './notebook-kernel.js';
import { openLiveArea } from './live-area.js';
import { runPath } from './run-path.js';
import { show } from './show.js';
import type { OnNotice } from '../notice.js';

/**
 * A run that a notebook takes forward cell by cell, each with a live progress area of its own. The stop button ends it in good order; the
 * same cell run again goes on with it. A call while another one is under way waits for that, and the stop button ends both.
 */
export interface LiveRun {
  readonly name: string;
  readonly outputDirectory: string;
  readonly modelDirectory: string;
  /** What its rewards are called on axes. */
  readonly rewardLabel: string;
  /** What it trains by: `trainingCurves(run.events, run.loss)`. */
  readonly loss: PreferenceLoss;
  /** What happened so far, without progress. */
  readonly events: readonly RunEvent[];
  /** Evaluates the policy as it is, on training and on held-out prompts. */
  evaluateOriginal(): Promise<void>;
  /**
   * Runs all iterations to the end.
   *
   * @param options `iterations`: how many the run is to have in all, also a finished one; at least as many as it has
   */
  iterate(options?: { iterations?: number }): Promise<void>;
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

/**
 * The workers that a notebook asks for, by an option or by SPEECH_DPO_WORKERS.
 *
 * @throws Error where the option is an empty text: the notebook would do all by itself
 */
export function workersFor({ workers, ...others }: NotebookWorkers): GivenWorkers {
  if (workers === '')
    throw new Error(
      'workers is empty, and no queue is named: give its address, or null to work without workers',
    );
  const address = workers === undefined ? process.env[WORKERS_VARIABLE] : workers;
  return address ? { ...others, workers: address } : {};
}

type NotebookWorkers = Omit<GivenWorkers, 'workers'> & Pick<LiveRunOptions, 'workers'>;
type Given = OwnParts & GivenWorkers;

interface BeginOptions {
  signal: AbortSignal;
  onNotice: OnNotice;
  /** How many the run is to have in all; default: as many as it has. */
  iterations?: number;
}

type Begin = (options: BeginOptions) => AsyncGenerator<RunEvent>;

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
  const begin: Begin = async function* ({ signal, onNotice }) {
    await using chosen = await chooseDevice(device);
    yield* runExperiment(parameters, { ...own, ...chosen, root, signal, onNotice });
  };
  return follow(parameters, label, own, { begin });
}

/**
 * Opens a run that was interrupted, also one of another notebook, of the command line or from before a restart of the kernel.
 * {@link LiveRun} goes on from what is complete on disk and comes to the files that the run would have come to if left alone.
 *
 * @param name of the run, for example 0601-1200 or output/0601-1200, or the path of a folder of its
 * @param options what was given to the run when it began: `resumeRun('0601-1200', { reward })`
 * @throws Error in one sentence when there is no such run, or it began with something else
 */
export async function resumeRun(
  name: string,
  { root = '..', device, workers, allowMixed, serveAt, ...parts }: LiveRunOptions = {},
): Promise<LiveRun> {
  const own = { ...parts, ...workersFor({ workers, allowMixed, serveAt }) };
  const { record, directories } = await readRun(runPath(name, root));
  const begin = goingOn(directories.modelDirectory, own, device);
  return follow(record.parameters, rewardLabelOf(record), own, { begin, device });
}

/**
 * Opens a run of this or another day as it is on disk, to look at and listen to, and says what it found. Nothing is loaded or computed,
 * unless a cell goes on with it: {@link LiveRun.iterate}, as `resumeRun` does.
 *
 * @param name of the run, for example 0601-1200 or output/0601-1200, or the path of a folder of its
 * @param options what was given to the run when it began, where it is to go on
 * @throws Error in one sentence, with the names of the runs there are, when this is none of them
 */
export async function openRecorded(
  name: string,
  { root = '..', device, workers, allowMixed, serveAt, ...parts }: LiveRunOptions = {},
): Promise<LiveRun> {
  const own = { ...parts, ...workersFor({ workers, allowMixed, serveAt }) };
  const run = await readRun(runPath(name, root));
  const { record, directories } = run;
  const { outputDirectory, modelDirectory } = directories;
  printNotice(await describeRecorded(run));
  const report = join(outputDirectory, 'report.html');
  show(fileLinks(join(modelDirectory, LOG_FILE), ...(existsSync(report) ? [report] : [])));
  return follow(record.parameters, rewardLabelOf(record), own, { device, recorded: run });
}

/** @param device default: the one that the run began on */
function goingOn(modelDirectory: string, own: Given, device: DeviceChoice | undefined): Begin {
  return async function* (options) {
    await using chosen = device === undefined ? null : await chooseDevice(device);
    yield* resumeExperiment(modelDirectory, { ...own, ...options, ...chosen });
  };
}

async function describeRecorded(recorded: RecordedRun): Promise<string> {
  const { record, events } = recorded;
  const { run, parameters, reward, startedAt } = record;
  const state = await stateOf(recorded);
  const { iterations } = parameters;
  const done = events.filter(({ type }) => type === 'saved').length;
  const how = `${done} of ${formatCount(iterations, 'iteration')} ${taughtBy(reward?.name)}, begun ${startedAt.slice(0, 16).replace('T', ' ')} UTC`;
  const isRead = `Run ${run} is read from disk, nothing is computed. It is ${state}: ${how}`;
  if (!reward) return `${isRead}.`;
  const goesOn = (): string => {
    if (state === 'running') return 'a process is writing it';
    if (state !== 'finished') return 'to go on with it: await run.iterate()';
    if (isEndedByGuard(events)) return 'a guard has ended it';
    return `to add iterations: await run.iterate({ iterations: ${2 * iterations} })`;
  };
  return `${isRead}; ${goesOn()}.`;
}

/** Such a run gets no more iterations. */
const isEndedByGuard = (events: readonly RunEvent[]): boolean =>
  events.some((event) => event.type === 'stopped' && event.step === undefined);

/**
 * @param from.begin what begins at once; or
 * @param from.recorded a run that is opened to look at: it goes on when a cell asks for it
 * @param from.device where it goes on once it was stopped, or gets more iterations; default: where it began
 */
async function follow(
  given: Parameters,
  label: string,
  own: Given,
  { begin, recorded, device }: { begin?: Begin; recorded?: RecordedRun; device?: DeviceChoice },
): Promise<LiveRun> {
  const events: RunEvent[] = [...(recorded?.events ?? [])];
  let started: EventOf<'started'> | undefined = recorded && {
    type: 'started',
    run: recorded.directories.name,
    ...recorded.directories,
  };
  let current: Current | undefined = begin && open(begin);
  let isFinished = recorded?.record.state === 'finished';
  /** Before that, the cell that opens the run would make another one. */
  let hasLoaded = recorded !== undefined;
  let { iterations } = given;
  /** The call before this one: it may not be awaited, and the stop button may have ended its cell while its last step was still under way. */
  let previous = Promise.resolve();
  let underWay = 0;

  // What the guards measure comes after the rewards; those that are given take the place of the parameters'.
  const hasGuards = own.guards ? own.guards.length > 0 : given.guard || given.guardPairs;
  const lastOfEvaluation = hasGuards ? 'guarded' : 'evaluated';
  const isOriginalEvaluated = (event: RunEvent) =>
    event.type === lastOfEvaluation &&
    event.iteration === ORIGINAL &&
    !('split' in event && event.split === 'train');

  function advance(title: string, until: (event: RunEvent) => boolean, wanted?: number): Promise<void> {
    // The button as it is now: it also stops a call that waits.
    const button = notebookKernel().interruptSignal();
    if (underWay > 0)
      printNotice('The run is under way in another call; this one begins when that has ended.');
    underWay += 1;
    const done = previous.then(() => {
      button.throwIfAborted();
      return advanceTo(title, until, button, wanted);
    });
    previous = done
      .catch(() => undefined)
      .finally(() => {
        underWay -= 1;
      });
    return done;
  }

  const reopen: Begin = (options) => goingOn(started!.modelDirectory, own, device)(options);

  async function advanceTo(
    title: string,
    until: (event: RunEvent) => boolean,
    button: AbortSignal,
    wanted = iterations,
  ): Promise<void> {
    if (wanted !== iterations) {
      const former = current;
      current = undefined;
      await former?.stream.return(undefined);
      current = open((options) => reopen({ ...options, iterations: wanted }));
      isFinished = false;
    }
    if (events.some(until)) return;
    const area = openLiveArea(title, events);
    if (isFinished) {
      area.end(['this run is finished', finishedNote()].filter(Boolean).join('; '));
      return;
    }
    current ??= open(reopen);
    const { stream, stop } = current;
    const onStop = () => {
      stop.abort(button.reason);
    };
    button.addEventListener('abort', onStop);
    // Pressed while a former stream was closed.
    if (button.aborted) onStop();
    try {
      for (;;) {
        const { value: event, done } = await stream.next();
        if (done) {
          isFinished = true;
          iterations = wanted;
          break;
        }
        if (event.type === 'started') {
          started = event;
          // It tells what happened from the beginning.
          events.length = 0;
        }
        if (!isPassing(event)) events.push(event);
        area.show(event);
        if (until(event)) break;
      }
      area.end(isFinished ? finishedNote() : undefined);
    } catch (error) {
      current = undefined;
      // It may not be the run that failed, but showing it: its lock and its device are not to stay with nobody. The error tells why.
      await stream.return(undefined).catch(() => undefined);
      const how = stop.signal.aborted ? 'stopped' : 'failed';
      const goesOn = started !== undefined && !isDivergence(error);
      area.end(
        goesOn ? `${how}; to go on: ${hasLoaded ? 'this cell again, or ' : ''}${inAnotherSession()}` : how,
      );
      throw error;
    } finally {
      button.removeEventListener('abort', onStop);
    }
  }

  /** How the run is opened after a restart of the kernel. */
  function inAnotherSession(): string {
    // What the environment names is named again.
    const isGivenWorkers = own.workers !== undefined && own.workers !== process.env[WORKERS_VARIABLE];
    const again = [...(own.reward ? ['reward'] : []), ...(isGivenWorkers ? ['workers'] : [])];
    return `openRecorded('${started!.run}'${again.length > 0 ? `, { ${again.join(', ')} }` : ''})`;
  }

  /** How a finished run goes on; nothing where a guard has ended it. */
  function finishedNote(): string | undefined {
    const more = 2 * events.filter(({ type }) => type === 'saved').length;
    if (isEndedByGuard(events) || more === 0) return undefined;
    return `to go on with it: await run.iterate({ iterations: ${more} }); on another day, first: const run = await ${inAnotherSession()}`;
  }

  if (!recorded) await advance('loading policy, codec and prompts ...', isPastLoading);
  hasLoaded = true;
  const { run: name, outputDirectory, modelDirectory } = started!;
  return {
    name,
    outputDirectory,
    modelDirectory,
    rewardLabel: label,
    loss: namedLoss(given),
    events,
    evaluateOriginal: () => advance('compiling the policy ...', isOriginalEvaluated),
    iterate: (options) => advance('starting ...', () => false, options?.iterations),
  };
}

interface Current {
  stream: AsyncGenerator<RunEvent>;
  stop: AbortController;
}

function open(begin: Begin): Current {
  const stop = new AbortController();
  return { stream: begin({ signal: stop.signal, onNotice: printNotice }), stop };
}

/** The first event after the prompts' audio is written. */
function isPastLoading({ type }: RunEvent): boolean {
  return type !== 'started' && type !== 'notice';
}
