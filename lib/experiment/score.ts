import { meaningOf, type Guard, type GuardFigures } from '../reward/guard.js';
import type { Sample } from '../reward/reward.js';
import { orUnscorable, scorerFailure, UnscorableSample } from '../scoring/unscorable.js';
import type { RunEvent, Split } from '../run/events.js';
import { keepInvalidSamples } from '../run/inspection-files.js';
import type { PackedPrompt, ScoringRun } from './run.js';
import type { Completion } from './sample.js';
import type { ScoredCompletion } from './scored-completion.js';
import { synthesize } from './synthesize.js';
import { tally } from './tally.js';

type Progress = Extract<RunEvent, { type: 'progress' }>;

/** Completions whose audio is made together: as many as the partner fills at once. */
const COMPLETIONS_AT_ONCE = 16;

/** What is scored. */
export interface Scored {
  split: Split;
  /** Those whose completions come. */
  prompts: readonly PackedPrompt[];
  /** Measured of the completions that have a reward; default none. */
  guards?: readonly Guard[];
}

export interface Scoring {
  /**
   * Takes a completion; it is scored while others are still being sampled.
   * @throws Error as `finish` does, once a scorer has failed
   */
  add(completion: Completion): void;
  /**
   * Waits for all scores: `scored[i][sampleIndex]` of the ith prompt.
   * @throws Error naming prompt and sample when a scorer fails for a reason that is not the sample's own; with the reasons when none of
   *   the completions could be scored; naming the first, when a reward is NaN or an infinity: those samples are kept in
   *   invalid_rewards.json in the output directory
   */
  finish(progress: Pick<Progress, 'iteration' | 'split'>): AsyncGenerator<RunEvent, ScoredCompletion[][]>;
  /** Starts nothing new and waits for what is under way, so that what scoring works with can be closed. */
  close(): Promise<void>;
}

/**
 * Scores completions of a split's prompts in the order they end. Those that end together have similar lengths, so that making their audio
 * together wastes little on padding. A completion that cannot be scored for a reason of its own (`UnscorableSample`) is dropped with the
 * reason; whatever else fails, and a score that is no number, stops the run.
 */
export function createScoring(run: ScoringRun, { split, prompts, guards = [] }: Scored): Scoring {
  const scored = new Map(prompts.map((prompt): [PackedPrompt, ScoredCompletion[]] => [prompt, []]));
  const waiting: Completion[] = [];
  const running: Promise<void>[] = [];
  let lastGroup: Promise<unknown> = Promise.resolve();
  let failure: Error | undefined;
  let isClosed = false;

  function throwIfFailed(): void {
    run.signal?.throwIfAborted();
    if (failure) throw failure;
  }

  function refuseWhenClosed(): void {
    if (isClosed) throw new Error('the scoring was closed');
  }

  function startGroup(): void {
    const group = waiting.splice(0, COMPLETIONS_AT_ONCE);
    const makeAudio = once(() => {
      const speech = speechOf(run);
      const spoken = group.filter(({ codes }) => codes.length <= speech.partner.maxFrames);
      const completions = spoken.map(({ prompt, codes }) => ({ item: prompt.item, codes }));
      // One group after the other, so that sampling gets its turn in the engine between their calls.
      const waveforms = lastGroup.then(() => {
        refuseWhenClosed();
        return synthesize(speech, completions);
      });
      lastGroup = waveforms.catch(() => undefined);
      return waveforms.then((made) => new Map(spoken.map((completion, index) => [completion, made[index]])));
    });
    for (const completion of group) {
      const { prompt, sampleIndex, codes, finished } = completion;
      const { item } = prompt;
      const audio = async () => {
        const { partner, codec } = speechOf(run);
        const samples = (await makeAudio()).get(completion);
        refuseWhenClosed();
        if (!samples)
          throw new UnscorableSample(`it is longer than the partner's ${partner.maxFrames} frames`);
        return { samples, sampleRateHz: codec.sampleRateHz };
      };
      // Nobody waits for it while the policy is sampled: a failure is kept.
      const scoring = scoreSample(run, guards, { item, codes, audio }).then(
        (score) => void (scored.get(prompt)![sampleIndex] = { codes, finished, ...score }),
        (error: unknown) => {
          const sample = `sample ${sampleIndex} of ${split} prompt ${prompt.index}, "${item.instruction}"`;
          failure ??= scorerFailure(`the run stops at ${sample}`, error);
        },
      );
      running.push(scoring);
    }
  }

  return {
    add(completion) {
      throwIfFailed();
      waiting.push(completion);
      if (waiting.length === COMPLETIONS_AT_ONCE) startGroup();
    },
    async *finish(progress) {
      if (waiting.length > 0) startGroup();
      for (const [index, scoring] of running.entries()) {
        await scoring;
        throwIfFailed();
        yield { type: 'progress', stage: 'score', ...progress, done: index + 1, total: running.length };
      }
      await refuseInvalid(run, split, scored, progress.iteration);
      const all = [...scored.values()];
      const { rewards, lengths, droppedReasons } = tally(all);
      if (rewards.length === 0) {
        throw new Error(
          `none of the ${lengths.length} samples could be scored with the ${run.reward.name} reward: ${droppedReasons.join('; ')}`,
        );
      }
      return all;
    },
    async close() {
      isClosed = true;
      await Promise.allSettled(running);
    },
  };
}

type Score = Omit<ScoredCompletion, 'codes' | 'finished'>;

async function scoreSample(run: ScoringRun, guards: readonly Guard[], sample: Sample): Promise<Score> {
  const { codes } = sample;
  const unscored = { reward: null, rank: null, details: {}, figures: {} };
  const drop = (dropped: string) => ({ ...unscored, dropped });
  if (codes.length === 0) return drop('it is empty');
  const reward = await orUnscorable(() => run.reward.score(sample)).catch((error: unknown) => {
    throw scorerFailure(`the ${run.reward.name} reward fails`, error);
  });
  if (reward instanceof UnscorableSample) return drop(reward.message);
  if (reward === null) return drop('the reward gives it no score');
  const rank = run.reward.rank?.(sample, reward) ?? reward;
  const details = run.reward.details?.(sample) ?? {};
  const invalid = Object.entries({ reward, rank, ...details }).find(([, value]) => !Number.isFinite(value));
  if (invalid) return { ...unscored, invalid: invalid.join(' ') };
  return { reward, rank, details, figures: await measureAll(guards, sample) };
}

/** What a guard cannot measure for a reason of the sample is left out. */
async function measureAll(guards: readonly Guard[], sample: Sample): Promise<GuardFigures> {
  const measured = await Promise.all(
    guards.map((guard) =>
      orUnscorable(() => guard.measure(sample)).catch((error: unknown) => {
        const figures = guard.figures.map((figure) => meaningOf(figure).label).join(', ');
        throw scorerFailure(`the guard by ${figures} fails`, error);
      }),
    ),
  );
  const figures = measured.flatMap((result) =>
    result instanceof UnscorableSample ? [] : Object.entries(result),
  );
  return Object.fromEntries(figures.filter(([, value]) => Number.isFinite(value)));
}

/** A figure that is not finite is a mistake in the reward, or in what it measures: training on the other samples would hide it. */
async function refuseInvalid(
  run: ScoringRun,
  split: Split,
  scored: ReadonlyMap<PackedPrompt, ScoredCompletion[]>,
  iteration: number,
): Promise<void> {
  const samples = [...scored].flatMap(([{ index: prompt, item }, completions]) =>
    completions.flatMap(({ codes, invalid }, sample) =>
      invalid === undefined ? [] : [{ prompt, sample, item, codes, invalid }],
    ),
  );
  if (samples.length === 0) return;
  const { name } = run.reward;
  const file = await keepInvalidSamples(run.directories.outputDirectory, {
    iteration,
    split,
    reward: name,
    samples,
  });
  const [{ prompt, sample, invalid, item }] = samples;
  const others = samples.length > 1 ? ` (and ${samples.length - 1} more)` : '';
  throw new Error(
    `the ${name} reward of sample ${sample} of ${split} prompt ${prompt}, "${item.instruction}", is not a number: ${invalid}${others}; nothing was saved of it, the samples are in ${file}`,
  );
}

function speechOf({ partner, codec, signal, reward }: ScoringRun) {
  if (!partner || !codec)
    throw new TypeError(`partner and codec were not opened, but the ${reward.name} reward asks for sound`);
  return { partner, codec, signal };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
