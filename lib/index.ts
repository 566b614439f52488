/**
 * speech-dpo as a library: models, experiments, jobs, and everything that the command line and the notebooks use, in the order data flows. The
 * folders are entries of their own: `speech-dpo/engine`, `/audio`, `/codec`, `/scoring`, `/policy`, `/dpo`, `/view`, `/notebook`.
 */
export { resolveModelDirectory } from './package-root.js';
export { resolveSource } from './checkpoint/hub.js';
export type { HostTensor } from './engine/host-tensor.js';
export {
  chooseDevice,
  CpuDevice,
  deviceChoices,
  partOf,
  tf,
  type ChosenDevice,
  type Device,
  type DeviceChoice,
  type DeviceTensor,
} from './engine/index.js';
export * from './audio/index.js';
export * from './codec/index.js';
export type { DatasetItem } from './data/item.js';
export { loadPrompts, type Prompts } from './data/prompts.js';
export { readItems } from './data/items.js';
export * from './policy/index.js';
export * from './scoring/index.js';

export {
  rewardOf,
  ScorerRefusal,
  type Reward,
  type RewardedSample,
  type Sample,
  type Score,
} from './reward/reward.js';
export { loadReward, loadRewards } from './reward/load.js';
export { harmonic, lexicographic, weighted } from './reward/combine.js';
export type { Combination } from './reward/combination.js';
export { rewardLabel, type RewardName } from './reward/built-in.js';
export { evenTokenReward } from './reward/even-token.js';
export { lengthReward } from './reward/length.js';
export { mosReward } from './reward/mos.js';
export { GUARD_FIGURES, type Guard, type GuardFigure, type GuardFigures } from './reward/guard.js';

export * from './dpo/index.js';

export { parseParameters, type Parameters } from './run/parameters.js';
export { presets } from './run/presets.js';
export { findCheckpoint, parseIndices, type RunCheckpoint } from './run/checkpoint-path.js';
export { recordRun } from './run/record.js';
export { ORIGINAL, type FleetStatus, type RunEvent, type Split, type WorkerStatus } from './run/events.js';
export { packPairs, readDataFile, type PreferenceRow } from './run/data-file.js';
export { readPairsFile, type PairsFile } from './run/pairs-file.js';
export { bestIteration, type BestIteration } from './run/best-iteration.js';
export { readRun, type RecordedRun, type RunRecord } from './run/run-files.js';
export { bestOfN, bestOfNDivergence } from './run/best-of-n.js';
export { bootstrapMean } from './run/bootstrap.js';
export type { Interval } from './run/interval.js';
export { comparePairs, type PairedComparison } from './run/paired-comparison.js';
export { studentInterval } from './run/student-t.js';
export { summarize, type Statistics } from './run/statistics.js';
export type { Listening, ListeningPair, ListeningSample } from './run/listening.js';
export { readVotesFile, votedPairs, type VotesFile } from './run/votes-file.js';
export { countVotes, type Contest } from './run/win-rates.js';
export { iterate } from './experiment/iterate.js';
export type { Run } from './experiment/run.js';
export type { Farm, GuardChoice, SampleAnswer, SampleRequest } from './experiment/farm.js';
export type { PackedPrompt } from './experiment/packed-prompt.js';
export type { ScoredCompletion } from './experiment/scored-completion.js';
export type { GivenWorkers } from './farm/option.js';
export { readAudioIndex, type AudioExample, type AudioIndex } from './experiment/audio-examples.js';
export { writeTensorBoard } from './tensorboard/tensorboard.js';
export { runExperiment, type RunOptions } from './jobs/experiment.js';
export type { OwnParts } from './jobs/own-parts.js';
export { runSeeds, type SeedRun } from './jobs/run-seeds.js';
export { trainFrom, trainingParameters } from './jobs/train-from.js';
export {
  checkpointParameters,
  evaluateCheckpoint,
  type EvaluationOptions,
} from './jobs/evaluate-checkpoint.js';
export {
  logProbabilities,
  type CompletionReport,
  type LogProbability,
  type LogProbabilityOptions,
  type LogProbabilityReport,
} from './jobs/log-probs.js';
export { comparisons, listeningPairs, type ListeningOptions } from './jobs/listening-pairs.js';
export { renderItems, type RenderedItem } from './jobs/render-items.js';
export { resumeExperiment } from './jobs/resume.js';
export { prepareDataset, type PrepareOptions } from './jobs/prepare-dataset.js';
export { mergeCheckpoint, type MergeOptions, type MergeResult } from './jobs/merge.js';
export { editRecording, type EditOptions } from './jobs/edit.js';
export { runWorker, type WorkerOptions } from './jobs/worker.js';
export { serveReward, type ServeRewardOptions } from './jobs/serve-reward.js';
export { scoreOnWorkers, type ScoreOnWorkersOptions } from './jobs/score-on-workers.js';

export * from './view/index.js';
export * from './notebook/index.js';
export { verify, type VerifyRow } from './verify/verify.js';
export { doctorSchema, examineMachine, type DoctorReport, type Finding } from './verify/doctor/doctor.js';
