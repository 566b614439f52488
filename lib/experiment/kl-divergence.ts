/** How far a policy has gone from the one that the run began with. */
import { logProbsByBatch } from '../dpo/completion-log-probs.js';
import { freeArrays } from '../engine/free-arrays.js';
import { sumOf } from '../mean.js';
import type { Model } from '../policy/architecture.js';
import { packCompletion } from '../policy/pack.js';
import { loadPretrained } from '../policy/pretrained.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import type { PackedPrompt } from './packed-prompt.js';
import type { Run } from './run.js';
import type { ScoredCompletion } from './scored-completion.js';

type DivergingRun = Pick<Run, 'policy' | 'device' | 'signal' | 'parameters'>;

/**
 * Adds `kl` and `entropy` to the figures of completions that the run's policy wrote and that have a reward, in nats:
 *
 * - kl: log π(y|x) − log π₀(y|x), where π₀ is the policy that the run began with. Its mean over samples of π is an unbiased estimate of
 *   KL(π ‖ π₀), TRL's `objective/kl` (k1 in Schulman 2020, http://joschu.net/blog/kl-approx.html).
 * - entropy: −log π(y|x) / T over the T tokens of y; its mean over samples estimates the entropy of π per token.
 *
 * Both by teacher forcing at temperature 1 over the whole vocabulary. `<s>`, which is given, does not count, nor does `</s>` where a
 * completion was cut off. Of samples that were drawn at another temperature, with top-k or top-p or in 8 bits, they are means over what was drawn.
 *
 * The first policy is read from where the run's policy came from. Yields its progress.
 *
 * @param scored `[prompt][sample]`
 */
export async function* measureKlDivergence(
  run: DivergingRun,
  iteration: number,
  prompts: readonly PackedPrompt[],
  scored: readonly (readonly ScoredCompletion[])[],
): AsyncGenerator<RunEvent, ScoredCompletion[][]> {
  const { policy, device, signal } = run;
  const items = scored.flatMap((samples, i) =>
    samples
      .filter(({ reward }) => reward !== null)
      .map(({ codes, finished }) => ({
        prompt: prompts[i].ids,
        completion: packCompletion(policy, codes).slice(0, finished ? undefined : -1),
      })),
  );
  const total = iteration === ORIGINAL ? items.length : 2 * items.length;
  // As many as a batch of training has: whether those fit into the device's memory is asked before anything is sampled.
  const options = { device, batchSize: 2 * run.parameters.batchSize, signal };
  async function* sumsOf(model: Model, before = 0): AsyncGenerator<RunEvent, number[]> {
    const sums: number[] = [];
    let done = before;
    for await (const batch of logProbsByBatch(model, items, options)) {
      for (const { place, logProbs } of batch) sums[place] = sumOf(logProbs.perLabel.subarray(1));
      done += batch.length;
      yield { type: 'progress', iteration, stage: 'compare', split: 'test', done, total };
    }
    return sums;
  }
  const own = yield* sumsOf(policy);
  let original = own;
  if (iteration !== ORIGINAL) {
    const first = await loadPretrained(policy.directory, [policy.architecture]);
    original = yield* sumsOf(first, own.length);
    await freeArrays([...first.weights.values()].map(({ data }) => data));
  }
  let place = 0;
  return scored.map((samples) =>
    samples.map((sample) => {
      if (sample.reward === null) return sample;
      const logp = own[place];
      const kl = logp - original[place];
      const entropy = -logp / (items[place].completion.length - 1);
      place += 1;
      return { ...sample, figures: { ...sample.figures, kl, entropy } };
    }),
  );
}
