/** `speech-dpo/notebook`: what the cells of a notebook call: live runs, settings, players, tables. */
export { show, type Html, type Showable } from './show.js';
export { fileLinks } from './links.js';
export { openRecorded, openRun, resumeRun, type LiveRun } from './live-run.js';
export { compare, type Comparison } from './compare.js';
export { listen, players, type ClipChoice, type Embedding } from './listen.js';
export { watch } from './watch.js';
export { makeAudio } from './make-audio.js';
export { measure, transcriptOf } from './measure.js';
export { chooseParameters, chooseSettings, type Choice, type Settings } from './settings.js';
export { asBeforeAndAfter, findRun, scoreCheckpoint } from './checkpoints.js';
