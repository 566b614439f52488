import type { DpoMetrics } from '../dpo/metrics.js';
import type { Statistics } from './statistics.js';

/** Evaluation of the untouched policy carries this iteration number; iteration k's evaluation comes after its training. */
export const ORIGINAL = -1;

export type Split = 'train' | 'test';

/** What `iterate()` yields. Notebook, command line and report only render these; every line of metrics.jsonl is one of them (progress aside). */
export type RunEvent =
  | { type: 'started'; run: string; outputDirectory: string; modelDirectory: string }
  | { type: 'progress'; iteration: number; stage: 'evaluate' | 'sample' | 'score' | 'train'; split?: Split; done: number; total: number }
  | { type: 'evaluated'; iteration: number; split: Split; rewards: number[]; lengths: number[]; statistics: Statistics; seconds: number }
  | { type: 'sampled'; iteration: number; samples: number; tokens: number; seconds: number }
  | { type: 'scored'; iteration: number; scored: number; dropped: number; averageReward: number; seconds: number }
  | { type: 'paired'; iteration: number; pairs: number; skipped: number; dataFile: string }
  | { type: 'step'; iteration: number; epoch: number; step: number; steps: number; metrics: DpoMetrics }
  | { type: 'validated'; iteration: number; epoch: number; step: number; metrics: DpoMetrics }
  | { type: 'saved'; iteration: number; directory: string; seconds: number }
  | { type: 'finished'; seconds: number };
