import { leftAfter } from '../left-after.js';
import { askReward } from '../reward/ask.js';
import { meaningOf, type Guard, type GuardFigures } from '../reward/guard.js';
import { FailedSample, ScorerRefusal, type Reward, type Sample, type Score } from '../reward/reward.js';
import type { RunEvent, Split } from '../run/events.js';
import { createTurns } from '../turns.js';
import { orUnscorable, scorerFailure, UnscorableSample } from '../scoring/unscorable.js';
import type { ScoringRun } from './run.js';
import type { PackedPrompt } from './packed-prompt.js';
import type { Completion } from './sample.js';
import { LARGEST, type ScoredCompletion } from './scored-completion.js';
import { decodeCodes, writeCodes } from './synthesize.js';

type Progress = Extract<RunEvent, { type: 'progress' }>;
type Turns = ReturnType<typeof createTurns>;

/** Completions that are scored, and whose audio is made, together: as many as the partner fills at once. */
const COMPLETIONS_AT_ONCE = 16;

/**
 * How long rewards and guards have to end what is under way, once nobody waits for it: many times what those that come along take. One of a
 * person's own may never end.
 */
export const ENDING_MS = 10_000;

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
   * @throws Error naming prompt and sample when a scorer fails for a reason that is not the sample's own
   */
  finish(progress: Pick<Progress, 'iteration' | 'split'>): AsyncGenerator<RunEvent, ScoredCompletion[][]>;
  /** Starts nothing new and waits for what is under way, so that what scoring works with can be closed; for {@link ENDING_MS} at most. */
  close(): Promise<void>;
}

/** A completion and what scorers see of it. */
interface Heard {
  completion: Completion;
  sample: Sample;
}

/**
 * Scores completions of a split's prompts in the order they end. Those that end together have similar lengths, so that making their audio
 * together wastes little on padding. A completion that cannot be scored for a reason of its own is dropped with the reason; whatever else
 * fails stops the run.
 */
export function createScoring(run: ScoringRun, { split, prompts, guards = [] }: Scored): Scoring {
  const scored = new Map(prompts.map((prompt): [PackedPrompt, ScoredCompletion[]] => [prompt, []]));
  const waiting: Completion[] = [];
  const running: Promise<void>[] = [];
  const stop = new AbortController();
  const onAbort = () => stop.abort(run.signal?.reason);
  run.signal?.addEventListener('abort', onAbort, { once: true });
  // One group after the other, so that sampling gets its turn in the engine between their calls.
  const inTurn = createTurns();
  let failure: Error | undefined;

  function throwIfFailed(): void {
    run.signal?.throwIfAborted();
    if (failure) throw failure;
  }

  const failAt = (heard: readonly Heard[]) => (error: unknown) => {
    throw failureAt(error, split, heard);
  };

  async function keepScore(each: Heard, scores: Promise<Map<Heard, Score>>): Promise<void> {
    const { prompt, sampleIndex, codes, finished } = each.completion;
    const score = (await scores).get(each)!;
    const kept = await withFigures(score, guards, each.sample).catch(failAt([each]));
    scored.get(prompt)![sampleIndex] = { codes, finished, ...kept };
  }

  function startGroup(): void {
    const heard = hear(run, waiting.splice(0, COMPLETIONS_AT_ONCE), inTurn, stop.signal);
    const scores = scoreGroup(run.reward, heard, stop.signal).catch(failAt(heard));
    // Nobody waits for them while the policy is sampled: a failure is kept.
    for (const each of heard)
      running.push(keepScore(each, scores).catch((error: Error) => void (failure ??= error)));
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
        // After an abort, `close` waits.
        await leftAfter(0, stop.signal, scoring);
        throwIfFailed();
        yield { type: 'progress', stage: 'score', ...progress, done: index + 1, total: running.length };
      }
      return [...scored.values()];
    },
    async close() {
      stop.abort();
      run.signal?.removeEventListener('abort', onAbort);
      await leftAfter(ENDING_MS, stop.signal, Promise.all(running)).catch(() => undefined);
    },
  };
}

/** A group's completions as scorers see them; their audio is made together, once it is asked for. */
function hear(run: ScoringRun, group: readonly Completion[], inTurn: Turns, signal: AbortSignal): Heard[] {
  const makeAudio = once(() => makeWaveforms(run, group, inTurn, signal));
  const audioOf = async (completion: Completion) => {
    const { partner, codec } = speechOf(run);
    const samples = (await makeAudio()).get(completion);
    signal.throwIfAborted();
    if (!samples) throw new UnscorableSample(`it is longer than the partner's ${partner.maxFrames} frames`);
    return { samples: samples.slice(), sampleRateHz: codec.sampleRateHz };
  };
  // Copies: a scorer that sorts codes or scales sound in place changes neither what is trained on nor what others hear.
  const sampleOf = (completion: Completion): Sample => ({
    item: completion.prompt.item,
    get codes() {
      return [...completion.codes];
    },
    audio: () => audioOf(completion),
  });
  return group.map((completion) => ({ completion, sample: sampleOf(completion) }));
}

/** Of those completions that are not too long for the partner. */
async function makeWaveforms(
  run: ScoringRun,
  group: readonly Completion[],
  inTurn: Turns,
  signal: AbortSignal,
): Promise<Map<Completion, Float32Array>> {
  const { partner, codec } = speechOf(run);
  const spoken = group.filter(({ codes }) => codes.length <= partner.maxFrames);
  const completions = spoken.map(({ prompt, codes }) => ({ item: prompt.item, codes }));
  const written = await inTurn(() => {
    signal.throwIfAborted();
    return writeCodes(partner, completions, run.signal);
  });
  // Outside of the turn: the codec, which may have a thread of its own, decodes a group while the partner writes the next one.
  signal.throwIfAborted();
  const waveforms = await decodeCodes(codec, written);
  return new Map(spoken.map((completion, index) => [completion, waveforms[index]]));
}

/** The scores of a group; what is empty is not shown to the reward. */
async function scoreGroup(
  reward: Reward,
  group: readonly Heard[],
  signal: AbortSignal,
): Promise<Map<Heard, Score>> {
  const empty: Score = { dropped: 'it is empty' };
  const known = new Map<Heard, Score>(group.map((each) => [each, empty]));
  const written = group.filter(({ completion }) => completion.codes.length > 0);
  const scores = await askReward(
    reward,
    written.map(({ sample }) => sample),
    signal,
  ).catch((error: unknown) => {
    throw rewardFailure(`the ${reward.name} reward fails`, error);
  });
  written.forEach((each, index) => known.set(each, scores[index]));
  return known;
}

/**
 * What stops the run when a reward fails. Of a {@link FailedSample} the sample stays known.
 *
 * @param what was being done
 */
export function rewardFailure(what: string, error: unknown): Error {
  if (error instanceof FailedSample) return new FailedSample(error.sample, rewardFailure(what, error.cause));
  // A refusal is told to a person, as a plain Error is.
  const cause = error instanceof ScorerRefusal ? new Error(error.message, { cause: error.cause }) : error;
  return scorerFailure(what, cause);
}

/** The sentence names the sample that a scorer broke at, or how many where it does not say which of them. */
function failureAt(error: unknown, split: Split, group: readonly Heard[]): Error {
  const known = error instanceof FailedSample && group.find(({ sample }) => sample === error.sample);
  const { prompt, sampleIndex } = (known || group[0]).completion;
  const sample = `sample ${sampleIndex} of ${split} prompt ${prompt.index}, "${prompt.item.instruction}"`;
  const which = known || group.length === 1 ? sample : `${group.length} samples, the first ${sample}`;
  return scorerFailure(`the run stops at ${which}`, error instanceof FailedSample ? error.cause : error);
}

type WithoutCodes<T> = T extends unknown ? Omit<T, 'codes' | 'finished'> : never;

const UNREWARDED = { reward: null, rank: null, details: {}, figures: {} } as const;

/** What is kept of a score, with what the guards measure of the sample. */
async function withFigures(
  score: Score,
  guards: readonly Guard[],
  sample: Sample,
): Promise<WithoutCodes<ScoredCompletion>> {
  if ('dropped' in score) return { ...UNREWARDED, dropped: score.dropped };
  const { reward, rank = reward, details = {} } = score;
  const invalid = Object.entries({ reward, rank, ...details }).find(
    ([, value]) => !(Math.abs(value) <= LARGEST),
  );
  if (invalid) return { ...UNREWARDED, invalid: invalid.join(' ') };
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

function speechOf({ partner, codec, reward }: ScoringRun) {
  if (!partner || !codec)
    throw new TypeError(`partner and codec were not opened, but the ${reward.name} reward asks for sound`);
  return { partner, codec };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
