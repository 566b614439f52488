import type { DatasetItem } from '../data/item.js';

/** What a reward may look at: one sampled completion of one prompt. */
export interface Sample {
  readonly item: DatasetItem;
  /** Codes of codebook 0 as the policy wrote them (no special tokens). */
  readonly codes: number[];
  /** The sample's waveform, made on first use. */
  audio(): Promise<{ samples: Float32Array; sampleRateHz: number }>;
}

/**
 * Ranks samples: higher is better. For a sample that cannot be scored `score` gives null, or throws an UnscorableSample that says why: it
 * is dropped and counted. Whatever else it throws is no sample's fault and stops the run, as does NaN or an infinity, of the score or any
 * other figure.
 */
export interface Reward {
  readonly name: string;
  /** Axis label, for example "even tokens (0 to 5)". */
  readonly label: string;
  score(sample: Sample): Promise<number | null>;
  /** What pairs are ranked by where it differs from the score (dpo_length ranks by shortness). */
  rank?(sample: Sample, score: number): number;
  /** Further figures of a scored sample, kept in data_iter_k.json as chosen_NAME and rejected_NAME beside its reward. */
  details?(sample: Sample): Record<string, number>;
}
