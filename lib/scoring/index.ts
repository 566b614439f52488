/** `speech-dpo/scoring`: speech quality and intelligibility of a waveform: NISQA, DNSMOS, STOI, PESQ, voices, word errors, level. */
export { UnscorableSample } from './unscorable.js';
export {
  loadNisqa,
  loadNisqaMosOnly,
  loadNisqaTts,
  type Nisqa,
  type NisqaOptions,
  type NisqaScore,
  type NisqaScores,
} from './nisqa/nisqa.js';
export { loadVoiceEncoder, voiceSimilarity, type VoiceEncoder } from './voice-encoder.js';
export { loadDnsmos, type Dnsmos, type DnsmosScores } from './dnsmos/dnsmos.js';
export { isSilent, measureLevel, type LevelScores } from './silence.js';
export { extendedStoi, stoi } from './stoi.js';
export { measurePesq, type PesqOptions, type PesqScores } from './pesq.js';
export { scoreFiles, type FileScores, type ScoreFilesOptions } from './score-files.js';
export { METRIC_NAMES, type MetricName, type MetricOptions } from './metrics.js';
export { measureRecordings, type Measurement } from './measure.js';
export { openOpinionScorer, type OpinionModel, type OpinionNetwork, type OpinionScorer } from './opinion.js';
export { editFidelity, type Fidelity } from './fidelity.js';
export { openTranscriber, type Transcriber, type TranscriberOptions } from './transcribe.js';
export { characterErrorRate, formatAlignment, wordErrors, type AlignedWord, type WordErrors } from './wer.js';
