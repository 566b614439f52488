/** Best-of-n: what choosing the best of n samples of a policy gives, the baseline that training has to beat. */
import { meanOf } from '../mean.js';

/**
 * The reward that the best of n samples of a prompt has on average, for n = 1, 2, ... up to the fewest samples that a prompt has: over all
 * choices of n of its N samples (without replacement, as Chen et al. 2021, arXiv:2107.03374, estimate pass@k), then over prompts.
 *
 * @param prompts `[prompt][sample]`; null is a sample without a score, which is never chosen: choices and prompts that have no other are left out
 * @returns `[n − 1]`
 */
export function bestOfN(prompts: readonly (readonly (number | null)[])[]): number[] {
  const scored = prompts.filter((samples) => samples.some((reward) => reward !== null));
  const sorted = scored.map((samples) => samples.map((reward) => reward ?? -Infinity).sort((a, b) => a - b));
  const fewest = sorted.length === 0 ? 0 : Math.min(...sorted.map(({ length }) => length));
  return Array.from({ length: fewest }, (_, i) =>
    meanOf(sorted.map((rewards) => expectedLargest(rewards, i + 1))),
  );
}

/**
 * KL divergence in nats of the best of n samples from the policy that they are of, log n − (n − 1)/n (Stiennon et al. 2020, arXiv:2009.01325,
 * appendix G.3): exact where no two samples have the same reward, else an upper bound (Beirami et al. 2024, arXiv:2401.01879).
 */
export const bestOfNDivergence = (n: number): number => Math.log(n) - (n - 1) / n;

/** The mean of the largest of n values over the choices of n of them: the one at rank i is the largest in C(i − 1, n − 1) of C(N, n). */
function expectedLargest(sorted: readonly number[], n: number): number {
  let share = n / sorted.length;
  let expected = 0;
  let shares = 0;
  for (let rank = sorted.length; rank >= n && sorted[rank - 1] > -Infinity; rank--) {
    expected += share * sorted[rank - 1];
    shares += share;
    share *= (rank - n) / (rank - 1);
  }
  return expected / shares;
}
