/** `speech-dpo/audio`: WAV files in and out, resampling, spectrograms' mathematics: sound as arrays of numbers. */
export {
  encodeWav,
  parseWav,
  readWav,
  toMono,
  type MonoRecording,
  type NamedRecording,
  type Recording,
} from './wav.js';
export { resample } from './resample.js';
export { hannWindow, stft, type StftOptions } from './stft.js';
export { applyMel, melFilterBank, type MelBand, type MelOptions } from './mel.js';
export { measureMedianF0Hz, trackF0, type F0Track } from './f0.js';
export { applyEffect, EFFECTS, type Effect } from './effects.js';
export { stretchTime } from './time-stretch.js';
export { gatedLoudness, matchLoudness } from './loudness.js';
