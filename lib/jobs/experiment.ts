import { iterate } from '../experiment/iterate.js';
import { largestOf } from '../largest.js';
import type { Run } from '../experiment/run.js';
import type { OnNotice } from '../notice.js';
import { openParts, releaseAll } from '../release.js';
import { createRunDirectories, type RunDirectories } from '../run/directories.js';
import type { RunEvent } from '../run/events.js';
import { whileLocked } from '../run/lock.js';
import { parseParameters, type Parameters } from '../run/parameters.js';
import { recordRun } from '../run/record.js';
import { createWorkClock } from '../run/work-clock.js';
import { withTensorBoard } from '../tensorboard/tensorboard.js';
import type { GivenWorkers } from '../farm/option.js';
import { openFarm, openQueue, type OpenQueue } from './open-farm.js';
import { checkTrainingFits, openDevice, openModel, type GivenDevice } from './open.js';
import { listOwn, namedAfter, type OwnParts } from './own-parts.js';
import { openPolicyToTrain } from './policy-to-train.js';
import { describeRepeats } from '../experiment/packed-prompt.js';
import { checkPartnerReads, openPrompts } from './prompts.js';
import { openScorers, withRecognizer } from './scorers.js';
import { withAbsolutePaths } from './sources.js';
import { yieldingFirst } from '../plain-error.js';

/** Where a run writes (new directories under `root`, unless some are given) and how it is ended. */
export interface RunOptions extends GivenDevice, GivenWorkers {
  root: string;
  directories?: RunDirectories;
  signal?: AbortSignal;
  /** Is told what a person should read before the run begins: downloads and licences. */
  onNotice?: OnNotice;
}

/**
 * Opens what the parameters name, makes the run's directories and runs `iterate()`, recorded.
 *
 * @throws Error in one sentence for a model, prompts file, scorer or folder that cannot be used, or a policy too large to train, before
 *   anything is written
 */
export const runExperiment = yieldingFirst(async function* (
  parameters: Parameters,
  options: RunOptions & OwnParts,
): AsyncGenerator<RunEvent> {
  const { root, signal } = options;
  // A program in JavaScript may give what was never parsed.
  await using opened = await openExperiment(parseParameters(parameters), options);
  const directories = options.directories ?? (await createRunDirectories(root, new Date(), signal));
  const inputs = { ...opened, directories, clock: createWorkClock(), signal };
  await using farm = await openFarm(
    opened.queue,
    inputs,
    directories.outputDirectory,
    opened.policy.directory,
  );
  const run: Run = { ...inputs, farm: farm?.farm };
  const recording = () => {
    const events = withTensorBoard(iterate(run), run);
    return recordRun(events, { ...run, own: listOwn(options), workers: farm?.workers });
  };
  yield* run.clock.whileRead(whileLocked(directories.modelDirectory, recording));
  farm?.setOver();
});

/** `<s>` and `</s>` around a completion. */
const ENDS = 2;

/**
 * What an experiment works on, apart from where it writes.
 *
 * @internal Its types are BullMQ's, which a dependant need not have.
 */
export type OpenExperiment = Omit<Run, 'directories' | 'clock' | 'signal' | 'farm'> &
  AsyncDisposable & {
    /** Where workers are asked for. */
    queue?: OpenQueue;
  };

/**
 * Opens model, prompts, reward and guards of an experiment.
 *
 * @internal
 */
export function openExperiment(
  given: Parameters,
  own: OwnParts & GivenDevice & GivenWorkers & Pick<RunOptions, 'signal' | 'onNotice'>,
): Promise<OpenExperiment> {
  return openParts(async (opened) => {
    const parameters = withAbsolutePaths(withRecognizer(namedAfter(given, own.reward)));
    const { sampler, codec, signal, onNotice } = own;
    const { device, computing, ...opening } = openDevice(own);
    opened.push(() => opening[Symbol.asyncDispose]());
    const policy = await openPolicyToTrain(parameters, device, { signal, onNotice });
    const counts = { train: parameters.trainPrompts, test: parameters.testPrompts };
    const prompts = await openPrompts(policy, parameters, counts, { given: own.prompts, signal, onNotice });
    const longest = {
      prompt: largestOf(prompts.train.map(({ ids }) => ids.length)),
      completion: parameters.maxNewTokens + ENDS,
    };
    checkTrainingFits(policy, parameters, longest, device);
    const model = await openModel(policy, parameters, {
      device,
      speaks: true,
      sampler,
      codec,
      signal,
      onNotice,
    });
    opened.push(() => model[Symbol.asyncDispose]());
    for (const split of ['train', 'test'] as const)
      for (const { index, item } of prompts[split])
        checkPartnerReads(model.partner, item, `${split} prompt ${index}`);
    const scorers = await openScorers(parameters, model.codec, { ...own, device });
    opened.push(() => scorers[Symbol.asyncDispose]());
    if (parameters.earlyStopping === 'guard' && scorers.guards.length === 0)
      throw new Error('earlyStopping guard needs guards: add --guard, in a program { guard: true }');
    const notices = [...describeRepeats(prompts), ...scorers.notices];
    const run = { ...model, ...prompts, ...scorers, notices, device, computing, parameters };
    const queue = await openQueue(run, own);
    if (queue) opened.push(() => queue[Symbol.asyncDispose]());
    return {
      ...run,
      queue,
      [Symbol.asyncDispose]: () => releaseAll(opened),
    };
  });
}
