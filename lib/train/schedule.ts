/** Learning-rate schedules: factors of the peak by optimizer step, as transformers' optimization.py computes them. */

export const schedules = ['linear', 'cosine', 'constant'] as const;
/** transformers' `get_linear_`, `get_cosine_` and `get_constant_schedule_with_warmup`. */
export type Schedule = (typeof schedules)[number];

/** The learning rate of each step of a training. */
export interface ScheduleOptions {
  /** Default linear. */
  schedule?: Schedule;
  /** Optimizer steps of the whole training. */
  steps: number;
  /** As in {@link countWarmupSteps}; default 0. */
  warmupSteps?: number;
}

/**
 * The learning rate of step k, from 0, of K steps of which W warm up: peak · k / W while k < W, so that the first of them learns nothing; then,
 * with p = (k - W) / (K - W), linear: peak · (1 - p); cosine (Loshchilov & Hutter 2017, arXiv:1608.03983): peak · (1 + cos πp) / 2; constant: peak.
 */
export function learningRates(
  peak: number,
  { schedule = 'linear', steps, warmupSteps = 0 }: ScheduleOptions,
): (step: number) => number {
  const warmup = countWarmupSteps(warmupSteps, steps);
  const decaying = steps - warmup;
  return (step) => {
    if (step < warmup) return (peak * step) / warmup;
    if (schedule === 'constant') return peak;
    if (schedule === 'linear') return (peak * (steps - step)) / decaying;
    return peak * 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / decaying));
  };
}

/** As transformers reads `warmup_steps` since version 5: a number of steps, or below 1 a share of all, rounded up. */
export function countWarmupSteps(warmupSteps: number, steps: number): number {
  return warmupSteps < 1 ? Math.ceil(steps * warmupSteps) : Math.floor(warmupSteps);
}
