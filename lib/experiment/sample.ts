import type { SamplingEvent } from '../policy/sample.js';
import { hash } from '../random.js';
import { ORIGINAL, type RunEvent, type Split } from '../run/events.js';
import type { SamplingRun } from './run.js';
import type { PackedPrompt } from './packed-prompt.js';

type Progress = Extract<RunEvent, { type: 'progress' }>;

/** What a policy wrote in answer to a prompt. */
export interface Completion {
  prompt: PackedPrompt;
  /** Which of the prompt's samples it is. */
  sampleIndex: number;
  /** Of codebook 0. */
  codes: number[];
  /** False where it was cut off at the longest length. */
  finished: boolean;
}

/**
 * Samples `samplesPerPrompt` completions of every prompt.
 *
 * @param first numbers of the first prompt and of each prompt's first sample, as in `SamplingOptions`
 * @param onCompletion is told of each completion when it ends, or is cut off, while others are still being sampled
 * @throws Error when the sampler ends before all are written, or writes another than was asked for
 * @returns `completions[i][sampleIndex]` of the ith prompt
 */
export async function* sampleCompletions(
  run: SamplingRun,
  prompts: readonly PackedPrompt[],
  samplesPerPrompt: number,
  seed: number,
  progress: Pick<Progress, 'iteration' | 'stage' | 'split'>,
  onCompletion: (completion: Completion) => void = () => undefined,
  first = { prompt: 0, sample: 0 },
): AsyncGenerator<RunEvent, Completion[][]> {
  const { temperature, topK, topP, maxNewTokens } = run.parameters;
  const completions: Completion[][] = prompts.map(() => []);
  const events = run.sampler.sample(
    prompts.map(({ ids }) => ids),
    { samplesPerPrompt, temperature, topK, topP, maxNewTokens, seed, first, signal: run.signal },
  );
  const total = prompts.length * samplesPerPrompt;
  // The first completion may take seconds, of which the policy's programs are compiled in some.
  yield { type: 'progress', ...progress, done: 0, total };
  for await (const event of events) {
    if (event.type === 'progress') {
      yield { type: 'progress', ...progress, done: event.done, total: event.total };
    } else {
      const { promptIndex, sampleIndex, codes, finished } = event;
      checkCompletion(event, completions, samplesPerPrompt);
      const completion = {
        prompt: prompts[promptIndex],
        sampleIndex: first.sample + sampleIndex,
        codes,
        finished,
      };
      completions[promptIndex][sampleIndex] = completion;
      onCompletion(completion);
    }
  }
  const written = completions.flat().length;
  if (written !== total) throw new Error(`the sampler wrote ${written} of ${total} completions`);
  return completions;
}

/** @throws Error in one sentence for what a sampler of a person's own may not write */
function checkCompletion(
  { promptIndex, sampleIndex, codes }: Extract<SamplingEvent, { type: 'completion' }>,
  completions: readonly Completion[][],
  samplesPerPrompt: number,
): void {
  const written = `the sampler wrote sample ${sampleIndex} of prompt ${promptIndex}`;
  if (!isIndex(promptIndex, completions.length) || !isIndex(sampleIndex, samplesPerPrompt))
    throw new Error(
      `${written}: samples are numbered 0 to ${samplesPerPrompt - 1}, and prompts 0 to ${completions.length - 1}`,
    );
  if (sampleIndex in completions[promptIndex]) throw new Error(`${written} twice`);
  if (!Array.isArray(codes)) throw new Error(`${written} without codes, which must be a list of numbers`);
}

const isIndex = (value: number, end: number): boolean => Number.isInteger(value) && value >= 0 && value < end;

/** Stages of an iteration that draw random numbers, each independently of the others. */
const STAGES = ['evaluate-train', 'evaluate-test', 'sample', 'synthetic', 'train', 'adapter'] as const;

/** An unsigned 32-bit seed for one stage of one iteration, from the run's seed. */
export function deriveSeed(seed: number, iteration: number, stage: (typeof STAGES)[number]): number {
  return hash([seed, iteration, STAGES.indexOf(stage)]) >>> 0;
}

/**
 * The seed of an evaluation. Held-out samples are drawn with the same random numbers whichever policy draws them (common random numbers), so that
 * chance tells two policies apart as little as it can. Training prompts get new ones, for an iteration may train on what they give.
 */
export function evaluationSeed(seed: number, iteration: number, split: Split): number {
  return deriveSeed(seed, split === 'test' ? ORIGINAL : iteration, `evaluate-${split}`);
}
