/** Shares of votes: what interval one has, and whether two differ by more than chance. */

/** A share and its confidence interval, all in [0, 1]. */
export interface ShareInterval {
  share: number;
  low: number;
  high: number;
}

/** Two-sided 95 % of a normal distribution. */
const Z = 1.959963984540054;

/**
 * The share `wins / count` with its 95 % score interval (Wilson, "Probable inference, the law of succession, and statistical inference", 1927),
 * without continuity correction.
 *
 * @throws Error where `count` is 0: there is no share of nothing
 */
export function wilsonInterval(wins: number, count: number): ShareInterval {
  if (count === 0) throw new Error('there is no share of no votes');
  const share = wins / count;
  const denominator = 1 + Z ** 2 / count;
  const center = (share + Z ** 2 / (2 * count)) / denominator;
  const half = (Z / denominator) * Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2));
  return { share, low: Math.max(0, center - half), high: Math.min(1, center + half) };
}

/**
 * Two-sided exact sign test: how probable a result at least as uneven is where both sides are equally good. Ties are left out before.
 *
 * @returns p, at most 1; 1 where there is no vote at all
 */
export function signTest(wins: number, losses: number): number {
  const count = wins + losses;
  const fewer = Math.min(wins, losses);
  // log of (count over k) / 2^count, so that many votes do not underflow.
  let logarithm = -count * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(logarithm);
    logarithm += Math.log(count - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}
