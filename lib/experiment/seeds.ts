import { hash } from '../random.js';

/** Stages of an iteration that draw random numbers, each independently of the others. */
const STAGES = ['evaluate-train', 'evaluate-test', 'sample', 'synthetic', 'train'] as const;

/** An unsigned 32-bit seed for one stage of one iteration, from the run's seed. */
export function deriveSeed(seed: number, iteration: number, stage: (typeof STAGES)[number]): number {
  return hash([seed, iteration, STAGES.indexOf(stage)]) >>> 0;
}
