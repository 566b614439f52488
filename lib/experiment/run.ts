import type { Device } from '../engine/index.js';
import type { Codec } from '../codec/codec.js';
import type { Partner } from '../policy/partner.js';
import type { Policy } from '../policy/policy.js';
import type { Sampler } from '../policy/sample.js';
import type { Guard } from '../reward/guard.js';
import type { Reward } from '../reward/reward.js';
import type { RunDirectories } from '../run/directories.js';
import type { RunDevice } from '../run/run-files.js';
import type { Parameters, SamplingParameter } from '../run/parameters.js';
import type { WorkClock } from '../run/work-clock.js';
import type { Farm } from './farm.js';
import type { PackedPrompt } from './packed-prompt.js';

/** Everything an experiment works on. `iterate()` trains `policy` in place. */
export interface Run {
  parameters: Parameters;
  directories: RunDirectories;
  /** Where the policy is sampled and trained, and sound is made. */
  device: Device;
  /** What the log and run.json say of it. */
  computing?: RunDevice;
  policy: Policy;
  /** Of `policy`. */
  sampler: Sampler;
  /** Writes codebooks 1 and up from codebook 0. */
  partner: Partner;
  codec: Codec;
  reward: Reward;
  /** Measured on held-out prompts beside the reward, and on training prompts where `guardPairs` asks for it. */
  guards: readonly Guard[];
  /** Who samples and scores; default: this process. */
  farm?: Farm;
  /** What the run goes on without, a sentence each. */
  notices: string[];
  train: PackedPrompt[];
  test: PackedPrompt[];
  /** What `seconds` of events are measured by. */
  clock: WorkClock;
  signal?: AbortSignal;
}

/** What training works on. */
export type TrainingRun = Pick<
  Run,
  'device' | 'computing' | 'parameters' | 'directories' | 'policy' | 'clock' | 'signal'
>;

/** What sampling works on. */
export interface SamplingRun extends Pick<Run, 'sampler' | 'signal'> {
  parameters: Pick<Parameters, 'seed' | SamplingParameter>;
}

/** What scoring works on; where nothing asks for sound, without partner and codec. */
export type ScoringRun = Pick<Run, 'reward' | 'signal'> & Partial<Pick<Run, 'partner' | 'codec'>>;
