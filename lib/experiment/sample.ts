import type { RunEvent } from '../run/events.js';
import type { PackedPrompt, SamplingRun } from './run.js';

type Progress = Extract<RunEvent, { type: 'progress' }>;

/**
 * Samples `samplesPerPrompt` completions of every prompt.
 *
 * @param onCompletion is told of each completion when it ends, or is cut off (not `finished`), while others are still being sampled
 * @returns `codes[prompt][sample]`
 */
export async function* sampleCompletions(
  run: Pick<SamplingRun, 'parameters' | 'sampler' | 'signal'>,
  prompts: readonly PackedPrompt[],
  samplesPerPrompt: number,
  seed: number,
  progress: Pick<Progress, 'iteration' | 'stage' | 'split'>,
  onCompletion: (promptIndex: number, sampleIndex: number, codes: number[], finished: boolean) => void,
): AsyncGenerator<RunEvent, number[][][]> {
  const { temperature, topK, topP, maxNewTokens } = run.parameters;
  const completions: number[][][] = prompts.map(() => []);
  const events = run.sampler.sample(
    prompts.map(({ ids }) => ids),
    { samplesPerPrompt, temperature, topK, topP, maxNewTokens, seed, signal: run.signal },
  );
  for await (const event of events) {
    if (event.type === 'progress') {
      yield { type: 'progress', ...progress, done: event.done, total: event.total };
    } else {
      const { promptIndex, sampleIndex, codes, finished } = event;
      completions[promptIndex][sampleIndex] = codes;
      onCompletion(promptIndex, sampleIndex, codes, finished);
    }
  }
  return completions;
}
