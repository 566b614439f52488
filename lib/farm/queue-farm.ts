/** A farm whose items are done by workers. */
import type { Farm, SampleAnswer, SampleRequest } from '../experiment/farm.js';
import { progressOf, sampledEvent } from '../experiment/local-farm.js';
import { checkScored, type CheckedRun } from '../experiment/check-scored.js';
import type { ScoredCompletion } from '../experiment/scored-completion.js';
import type { RunEvent } from '../run/events.js';
import type { WorkClock } from '../run/work-clock.js';
import type { Dispatcher } from './dispatch.js';
import { describeFolder, type FolderManifest } from './files/manifest.js';
import { cutRequest, hashOf, resultFromText } from './item.js';
import type { PresentRun } from './presence.js';
import type { Terms } from './terms.js';

export interface QueueFarmOptions {
  dispatcher: Dispatcher;
  terms: Terms;
  /** The folder that the run's policy was read from, or saved to last. */
  policy: string;
  /** Is told of each policy before its items are given out, and of the one that it follows. */
  onPolicy: (policy: FolderManifest, before: FolderManifest | undefined) => void;
  /** Is told how many items of a request wait, are in hand, and are done. */
  onCounts: (counts: NonNullable<PresentRun['counts']>) => void;
}

export function createQueueFarm(
  run: CheckedRun & { clock: WorkClock },
  { dispatcher, terms, policy, onPolicy, onCounts }: QueueFarmOptions,
): Farm {
  let folder = policy;
  let offered: FolderManifest | undefined;
  const hash = hashOf(terms);

  async function* answer(request: SampleRequest): AsyncGenerator<RunEvent, SampleAnswer> {
    const { iteration, stage, split, prompts, samplesPerPrompt } = request;
    const startSeconds = run.clock.seconds();
    const manifest = await describeFolder(folder);
    if (manifest.hash !== offered?.hash) {
      onPolicy(manifest, offered);
      offered = manifest;
    }
    const items = cutRequest(request, manifest, hash);
    const scored: ScoredCompletion[][] = prompts.map(() => []);
    const total = prompts.length * samplesPerPrompt;
    let done = 0;
    const progress = progressOf(request);
    yield { type: 'progress', ...progress, done, total };
    for await (const event of dispatcher.gather(items)) {
      if (event.type === 'fleet') {
        onCounts(event.status);
        yield { type: 'fleet', ...event.status };
        continue;
      }
      const { position, first, samples } = items[event.index].data;
      for (const [i, completion] of resultFromText(event.result, samples).entries())
        scored[position][first + i] = completion;
      done += samples;
      yield { type: 'progress', ...progress, done, total };
    }
    onCounts({ waiting: 0, running: 0, done: items.length, total: items.length });
    const sampledSeconds = run.clock.seconds();
    if (stage === 'sample') yield sampledEvent(iteration, scored.flat(), sampledSeconds - startSeconds);
    await checkScored(run, { iteration, stage, split, prompts, scored });
    return { scored, sampledSeconds };
  }

  return {
    answer,
    policySaved: (directory) => {
      folder = directory;
    },
  };
}
