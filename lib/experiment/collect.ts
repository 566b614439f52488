import type { RankedCompletion } from '../dpo/pairs.js';
import { sample } from '../policy/sample.js';
import type { Sample } from '../reward/reward.js';
import type { RunEvent } from './events.js';
import type { PackedPrompt, Run } from './run.js';
import { synthesize } from './synthesize.js';

/** One completion of a prompt (codes of codebook 0) with what the run's reward says of it. */
export interface ScoredCompletion extends RankedCompletion {
  codes: number[];
  details: Record<string, number>;
}

type Progress = Extract<RunEvent, { type: 'progress' }>;

/**
 * Samples `samplesPerPrompt` completions of every prompt.
 *
 * @returns `codes[prompt][sample]`
 */
export async function* sampleCompletions(
  run: Run,
  prompts: readonly PackedPrompt[],
  samplesPerPrompt: number,
  seed: number,
  progress: Pick<Progress, 'iteration' | 'stage' | 'split'>,
): AsyncGenerator<RunEvent, number[][][]> {
  const { temperature, topK, topP, maxNewTokens } = run.parameters;
  const completions: number[][][] = prompts.map(() => []);
  const events = sample(
    run.policy,
    prompts.map(({ ids }) => ids),
    { samplesPerPrompt, temperature, topK, topP, maxNewTokens, seed, signal: run.signal },
  );
  for await (const event of events) {
    if (event.type === 'completion') completions[event.promptIndex][event.sampleIndex] = event.codes;
    else yield { type: 'progress', ...progress, done: event.done, total: event.total };
  }
  return completions;
}

/** Scores `codes[prompt][sample]` with the run's reward; a sample it cannot score has the reward null. */
export async function* scoreCompletions(
  run: Run,
  prompts: readonly PackedPrompt[],
  completions: readonly number[][][],
  progress: Pick<Progress, 'iteration' | 'split'>,
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const scored: ScoredCompletion[][] = [];
  for (const [index, { item }] of prompts.entries()) {
    run.signal?.throwIfAborted();
    scored.push(await Promise.all(completions[index].map((codes) => scoreCompletion(run, item, codes))));
    yield { type: 'progress', stage: 'score', ...progress, done: index + 1, total: prompts.length };
  }
  return scored;
}

async function scoreCompletion(
  run: Run,
  item: PackedPrompt['item'],
  codes: number[],
): Promise<ScoredCompletion> {
  let audio: ReturnType<Sample['audio']> | undefined;
  const makeAudio = async () => {
    const [samples] = await synthesize(run, [{ item, codes }]);
    return { samples, sampleRateHz: run.codec.sampleRateHz };
  };
  const sample: Sample = { item, codes, audio: () => (audio ??= makeAudio()) };
  const reward = await run.reward.score(sample);
  if (reward === null) return { codes, reward: null, rank: null, details: {} };
  const rank = run.reward.rank?.(sample, reward) ?? reward;
  return { codes, reward, rank, details: run.reward.details?.(sample) ?? {} };
}

/** Rewards and lengths (in tokens) of all completions. */
export function flatten(scored: readonly ScoredCompletion[][]): { rewards: number[]; lengths: number[] } {
  const all = scored.flat();
  return {
    rewards: all.map(({ reward }) => reward).filter((reward) => reward !== null),
    lengths: all.map(({ codes }) => codes.length),
  };
}
