import type { DpoMetrics } from '../dpo/metrics.js';
import type { PairDrops } from '../dpo/pair-rules.js';
import type { GuardFigure } from '../reward/guard.js';
import type { Statistics } from './statistics.js';

/** Evaluation of the untouched policy carries this iteration number; iteration k's evaluation comes after its training. */
export const ORIGINAL = -1;

/** Prompts that are trained on, or held out. */
export type Split = 'train' | 'test';

/** One guard figure over the samples of an evaluation that have a reward. */
export interface GuardSummary {
  figure: GuardFigure;
  mean: number;
  /** Mean of each prompt's samples; null where none could be measured. */
  promptMeans: (number | null)[];
  /** Samples that have a reward but could not be measured. */
  missing: number;
}

/** A worker, as it stands. */
export interface WorkerStatus {
  /** "HOST-PID", or what `speech-dpo worker --name` says. */
  name: string;
  /** What it computes on: "the CPU, 2 threads". */
  device: string;
  /** `refuses`: it takes no part, `refusal` says why. `gone`: it has said nothing for half a minute, or left. */
  state: 'preparing' | 'working' | 'idle' | 'refuses' | 'gone';
  refusal?: string;
  /** Items whose results came from it, and seconds that it worked on them. */
  items: number;
  seconds: number;
}

/** How the workers of a run stand, and the items that are being farmed out to them. */
export interface FleetStatus {
  workers: WorkerStatus[];
  waiting: number;
  running: number;
  /** Tries that failed; an item is tried three times. */
  failed: number;
  done: number;
  total: number;
  /** Until the items are done, by the rate of the last minute; undefined before there is one. */
  remainingSeconds?: number;
  /** A sentence while there is something for a person to mend: no worker, the queue does not answer. */
  trouble?: string;
}

/**
 * What `iterate()` yields, in this order: started; notices; evaluated (train, test) and guarded of the original policy; then for each iteration
 * sampled and scored (unless pairs are made of what is there), paired, step and validated, saved, evaluated (train, test), guarded; at the end
 * finished. Where there is something to say, `warned` comes before paired, before saved or after guarded, and `stopped` at the end of a training
 * or an iteration; notices of what the device goes on without come after an evaluation or a training. Progress comes in between. A run with
 * workers also tells every second how they stand. Notebook, command line and report only render these. Files are named relative to the run's
 * directories; seconds are of work, without the time that the events' reader takes between them.
 */
export type RunEvent =
  | ({ type: 'fleet' } & FleetStatus)
  | {
      type: 'started';
      run: string;
      outputDirectory: string;
      modelDirectory: string;
      /** Where the run computes, and why there: "the CPU, 2 threads (asked for)". */
      device?: string;
      /** What each prompt asks for, by split and in the order of `promptMeans`. */
      instructions?: Record<Split, string[]>;
      /** In a run that goes on: what it goes on with, in words. */
      resumed?: string;
      /** Of a run that is asked to go on and has come to its end: nothing is done. */
      isFinished?: true;
    }
  /** Something the run goes on without, as a sentence. */
  | { type: 'notice'; message: string }
  | {
      type: 'progress';
      iteration: number;
      stage: 'evaluate' | 'sample' | 'score' | 'compare' | 'train' | 'decode';
      split?: Split;
      done: number;
      total: number;
    }
  | {
      type: 'evaluated';
      iteration: number;
      /** What the policy is called where its iteration does not say it: among checkpoints of several runs. No run records it. */
      policy?: string;
      split: Split;
      /** Rewards of all samples that could be scored. */
      rewards: number[];
      /** Mean reward of each prompt; null where none of its samples could be scored. */
      promptMeans: (number | null)[];
      /** Mean reward of the best of n samples of a prompt, `[n − 1]` (`bestOfN`); files of earlier versions lack it. */
      bestOfN?: number[];
      /** Lengths of all samples in tokens. */
      lengths: number[];
      statistics: Statistics;
      /** Samples that could not be scored: "3 samples: it is silent". */
      droppedReasons: string[];
      seconds: number;
    }
  /** What the guards measured of the held-out samples just evaluated; a run without guards has no such event. */
  | {
      type: 'guarded';
      iteration: number;
      guards: GuardSummary[];
      /** A sentence for each guard that fell beyond its limit while the reward rose, or that could measure no sample. */
      warnings: string[];
    }
  | { type: 'sampled'; iteration: number; samples: number; tokens: number; seconds: number }
  | {
      type: 'scored';
      iteration: number;
      scored: number;
      dropped: number;
      /** "3 samples: it is silent". */
      droppedReasons: string[];
      averageReward: number;
      seconds: number;
    }
  | {
      type: 'paired';
      iteration: number;
      pairs: number;
      skipped: number;
      /** One sentence for each skipped prompt. */
      skippedReasons: string[];
      chosenRewards: number[];
      rejectedRewards: number[];
      /** Relative to the output directory. */
      dataFile: string;
      /**
       * Of every two scored samples of a prompt: how many pairs they could make, and how many were not made, by reason. Absent where the pairing
       * is best-worst without minChosen, which made the events of runs before there was anything to choose.
       */
      considered?: number;
      dropped?: PairDrops;
    }
  /** What a person should look at, as a sentence that says what it means and what to do. */
  | { type: 'warned'; iteration: number; about: (typeof warnings)[number]; message: string }
  /** With a step: an iteration's training ended early, after it. Without: the run ends with this iteration. */
  | { type: 'stopped'; iteration: number; step?: number; reason: string }
  /** An iteration's training ends with the weights of this step, an earlier one. */
  | { type: 'restored'; iteration: number; step: number; reason: string }
  | { type: 'step'; iteration: number; epoch: number; step: number; steps: number; metrics: DpoMetrics }
  | { type: 'validated'; iteration: number; epoch: number; step: number; metrics: DpoMetrics }
  /** `directory` is relative to the model directory. */
  | {
      type: 'saved';
      iteration: number;
      directory: string;
      seconds: number;
      /** Of the iteration's training, in this session of the run; absent where there was nothing to train on. */
      trainingSeconds?: number;
    }
  | { type: 'finished'; seconds: number };

/**
 * What a run warns of on its own: chosen samples that become unlikely, samples that no longer end, prompts whose samples are alike, no pairs, a
 * reference that never moves, a learning rate that never reaches its peak.
 */
export const warnings = [
  'likelihood',
  'endings',
  'unscored',
  'spread',
  'pairs',
  'reference',
  'warmup',
] as const;

/** How things stand for a moment: of no more use once the next has come, and kept nowhere. */
type PassingEvent = Extract<RunEvent, { type: 'progress' | 'fleet' }>;

export function isPassing(event: RunEvent): event is PassingEvent {
  return event.type === 'progress' || event.type === 'fleet';
}

type WithoutSeconds<T> = T extends unknown ? Omit<T, 'seconds' | 'trainingSeconds'> : never;

/**
 * One line of metrics.jsonl: an event without its seconds (run.json has those), so that the same seed writes the same file.
 * Progress and fleet are not recorded; what `started` says is in run.json.
 */
export type RecordedEvent = WithoutSeconds<Exclude<RunEvent, { type: 'progress' | 'fleet' | 'started' }>>;
