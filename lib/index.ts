/** speech-dpo as a library: everything the command line and the notebooks use, in the order data flows. */
export { loadPretrained, savePretrained } from './checkpoint/pretrained.js';
export type { BartConfig } from './checkpoint/bart-config.js';
export type { HostTensor } from './engine/host-tensor.js';

export { CpuDevice, partOf, type Device, type DeviceTensor } from './engine/index.js';
export { resolveModelDirectory } from './package-root.js';
export { loadPolicy, savePolicy, type Policy } from './policy/policy.js';
export type { SpeechTokenizer } from './policy/tokenizer.js';
export { packCompletion, packPrompt } from './policy/pack.js';
export { openSampler, type Sampler, type SamplingEvent, type SamplingOptions } from './policy/sample.js';
export { openPartner, type PartnerItem, type Partner } from './policy/partner.js';

export type { Codec, Codes } from './codec/codec.js';
export type { DatasetItem } from './data/item.js';
export { openCodec } from './codec/open.js';
export { openEncodec } from './codec/encodec/codec.js';
export { openSpectralCodec } from './codec/spectral/codec.js';

export { encodeWav, parseWav, readWav, toMono, type Recording } from './audio/wav.js';
export { resample } from './audio/resample.js';

export { rewardOf, ScorerRefusal, type Reward, type Sample, type Score } from './reward/reward.js';
export { loadReward } from './reward/load.js';
export { rewardLabel, type RewardName } from './reward/built-in.js';
export { evenTokenReward } from './reward/even-token.js';
export { lengthReward } from './reward/length.js';
export { mosReward } from './reward/mos.js';
export { UnscorableSample } from './scoring/unscorable.js';
export { GUARD_FIGURES, type Guard, type GuardFigure, type GuardFigures } from './reward/guard.js';
export { loadNisqa, type Nisqa, type NisqaInput, type NisqaScores } from './scoring/nisqa/nisqa.js';
export { loadDnsmos, type Dnsmos, type DnsmosScores } from './scoring/dnsmos.js';
export { isSilent, measureLevel, type LevelScores } from './scoring/silence.js';
export { extendedStoi, stoi } from './scoring/stoi.js';
export { measurePesq, type PesqOptions, type PesqScores } from './scoring/pesq.js';
export { scoreFiles, type FileScores, type ScoreFilesOptions } from './scoring/score-files.js';
export { METRIC_NAMES, type MetricName } from './scoring/metrics.js';
export { measureRecordings, type Measurement } from './scoring/measure.js';
export { openOpinionScorer, type OpinionModel, type OpinionScorer } from './scoring/opinion.js';
export { editFidelity, type Fidelity } from './scoring/fidelity.js';
export { openTranscriber, type Transcriber, type TranscriberOptions } from './scoring/transcribe.js';
export { formatAlignment, wordErrors, type AlignedWord, type WordErrors } from './scoring/wer.js';

export { choosePair, choosePairs, type PairRules } from './dpo/pairs.js';
export type { DpoMetrics } from './dpo/metrics.js';
export { trainDpo, type DpoEvent, type DpoOptions, type PreferencePair } from './dpo/trainer.js';

export { parseParameters, presets, type Parameters } from './run/parameters.js';
export { runExperiment, type OwnParts, type RunOptions } from './jobs/experiment.js';
export { trainFrom, trainingParameters } from './jobs/train-from.js';
export {
  checkpointParameters,
  evaluateCheckpoint,
  type EvaluationOptions,
} from './jobs/evaluate-checkpoint.js';
export { renderItems, type RenderedItem } from './jobs/render-items.js';
export { findCheckpoint, parseIndices, type RunCheckpoint } from './run/checkpoint-path.js';
export { resumeExperiment } from './jobs/resume.js';
export { iterate } from './experiment/iterate.js';
export { recordRun } from './run/record.js';
export type { PackedPrompt, Run } from './experiment/run.js';
export { ORIGINAL, type RunEvent, type Split } from './run/events.js';
export { loadPrompts, type Prompts } from './data/prompts.js';
export { packPairs, readDataFile, type PreferenceRow } from './run/data-file.js';
export { readRun, type RecordedRun, type RunRecord } from './run/run-files.js';
export { readAudioIndex, type AudioExample, type AudioIndex } from './experiment/audio-examples.js';
export { prepareDataset, type PrepareOptions } from './jobs/prepare-dataset.js';
export { readItems } from './data/items.js';
export { resolveSource } from './checkpoint/hub.js';
export { editRecording, type EditOptions } from './jobs/edit.js';
export { summarize, type Statistics } from './run/statistics.js';

export {
  WHY_BOTH_MAY_FALL,
  guardCurves,
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
  waveforms,
} from './view/charts.js';
export type { NamedRecording } from './view/charts.js';
export type { Figure } from './view/figure.js';
export { audioPlayer } from './view/audio-player.js';
export { spectrogramDataUri } from './view/spectrogram.js';
export { guardTable } from './view/guard-table.js';
export { beforeAfterTable, evaluationTable } from './view/evaluation-table.js';
export { htmlTable, textTable, type Table } from './view/table.js';
export { advanceProgress, describeProgress, type ProgressState } from './view/progress.js';
export { writeReport } from './view/report.js';
export { verify, type VerifyRow } from './verify/verify.js';
export { show, type Html, type Showable } from './notebook/show.js';
export { openRun, resumeRun, type LiveRun } from './notebook/live-run.js';
export { listen, players, type ClipChoice, type Embedding } from './notebook/listen.js';
export { watch } from './notebook/watch.js';
export { makeAudio } from './notebook/make-audio.js';
export { measure, transcriptOf } from './notebook/measure.js';
export { metricNotes, metricTable } from './view/metric-table.js';
export { chooseParameters, chooseSettings, type Choice, type Settings } from './notebook/settings.js';
export { asBeforeAndAfter, findRun, scoreCheckpoint } from './notebook/checkpoints.js';
export { startOf } from './view/run-events.js';
