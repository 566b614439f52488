/** Who samples and scores for a run: this process (local-farm.ts), or workers on other machines (lib/farm). */
import type { RunEvent, Split } from '../run/events.js';
import type { PackedPrompt } from './packed-prompt.js';
import type { ScoredCompletion } from './scored-completion.js';

/** What a policy is asked for: completions of prompts, scored. */
export interface SampleRequest {
  iteration: number;
  /** What they are for: to tell how good the policy is, or to make pairs of. */
  stage: 'evaluate' | 'sample';
  split: Split;
  prompts: readonly PackedPrompt[];
  samplesPerPrompt: number;
  seed: number;
  /** Which guards measure the completions too. */
  guards: GuardChoice;
}

/** No guards, all of the run, or those whose figures count in Pareto pairs. */
export type GuardChoice = 'none' | 'all' | 'pairs';

/** What comes back. */
export interface SampleAnswer {
  /** `scored[i][sampleIndex]` of the ith prompt. */
  scored: ScoredCompletion[][];
  /** When all were sampled, by the run's clock. */
  sampledSeconds: number;
}

/** Samples a run's policy and scores the samples. */
export interface Farm {
  /**
   * Yields progress and, in the stage `sample`, `sampled`. The answer is the same whoever gives it.
   *
   * @throws Error naming prompt and sample when a scorer fails for a reason that is not the sample's own, and as `checkScored`
   */
  answer(request: SampleRequest): AsyncGenerator<RunEvent, SampleAnswer>;
  /** Is told whenever the policy has changed, and of the folder that it was saved to. */
  policySaved(directory: string): void;
}
