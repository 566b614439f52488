/** `speech-dpo/view`: charts, tables, players and the report of a run's events; it starts nothing. */
export {
  WHY_BOTH_MAY_FALL,
  guardCurves,
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
  waveforms,
} from './charts.js';
export type { NamedRecording } from '../audio/wav.js';
export type { Figure } from './figure.js';
export { audioPlayer } from './audio-player.js';
export { spectrogramDataUri } from './spectrogram.js';
export { guardTable } from './guard-table.js';
export { beforeAfterTable, evaluationTable } from './evaluation-table.js';
export { changeTable, rewardChangeTable } from './change-table.js';
export { PAIRED_NOTE } from './paired-change.js';
export { htmlTable, textTable, type Table } from './table.js';
export { advanceProgress, describeProgress, type ProgressState } from './progress.js';
export { writeReport } from './report.js';
export { writeComparison } from './compare.js';
export {
  comparedGuards,
  comparedLogProbabilities,
  comparedRewards,
  comparedTraining,
} from './compare/curves.js';
export { comparedFrontiers } from './compare/frontiers.js';
export { comparisonNotes, readComparedRuns, type ComparedRun } from './compare/runs.js';
export { groupBySeed, overSeeds, seedTable, type OverSeeds } from './compare/seeds.js';
export { differenceTable, differingTable, resultTable } from './compare/tables.js';
export { listeningPage, type ListeningPage } from './listening/page.js';
export { metricNotes, metricTable } from './metric-table.js';
export { startOf } from './run-events.js';
