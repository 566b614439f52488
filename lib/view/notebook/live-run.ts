import { ORIGINAL, type RunEvent } from '../../experiment/events.js';
import { runExperiment } from '../../experiment/experiment.js';
import type { Parameters } from '../../experiment/parameters.js';
import { rewardLabel } from '../reward-label.js';
import { notebookKernel } from './kernel.js';
import { openLiveArea } from './live-area.js';

/** A run that a notebook takes forward cell by cell, each with a live progress area of its own. */
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

/**
 * Loads everything a run needs, makes its directories and writes its prompts' audio; {@link LiveRun} goes on from there. The stop button
 * ends the run in good order: what is written by then is complete.
 *
 * @param root folder that gets output/ and model_output/; default: the project, one folder above the notebooks
 * @throws Error in one sentence for parameters or files that cannot be used
 */
export async function openRun(parameters: Parameters, root = '..'): Promise<LiveRun> {
  const stop = new AbortController();
  const stream = runExperiment(parameters, { root, signal: stop.signal });
  const events: RunEvent[] = [];
  let ended: Error | 'finished' | undefined;
  let started: Extract<RunEvent, { type: 'started' }> | undefined;

  // What the guards measure comes after the rewards.
  const lastOfEvaluation = parameters.guard || parameters.guardPairs ? 'guarded' : 'evaluated';
  const isOriginalEvaluated = (event: RunEvent) =>
    event.type === lastOfEvaluation &&
    event.iteration === ORIGINAL &&
    !('split' in event && event.split === 'train');

  async function advance(title: string, until: (event: RunEvent) => boolean): Promise<void> {
    if (ended instanceof Error) throw ended;
    if (ended || events.some(until)) return;
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
          ended = 'finished';
          break;
        }
        if (event.type === 'started') started = event;
        if (event.type !== 'progress') events.push(event);
        area.show(event);
        if (until(event)) break;
      }
      area.end();
    } catch (error) {
      ended = stop.signal.aborted
        ? new Error(
            `This run was stopped. What it wrote is in ${started?.modelDirectory}; run the cell that opens it again to start anew.`,
          )
        : (error as Error);
      area.end(
        stop.signal.aborted
          ? `stopped; what is written by now is complete: ${started?.modelDirectory}`
          : 'failed',
      );
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
    rewardLabel: rewardLabel(parameters),
    events,
    evaluateOriginal: () => advance('compiling the policy ...', isOriginalEvaluated),
    iterate: () => advance('starting ...', () => false),
  };
}

/** The first event after the prompts' audio is written. */
function isPastLoading({ type }: RunEvent): boolean {
  return type !== 'started' && type !== 'notice';
}
