/** What a person is to listen to, as jobs make it and a page shows it. */
import type { MonoRecording } from '../audio/wav.js';

/** One side of a pair. */
export interface ListeningSample {
  /** Codebook 0. */
  codes: number[];
  sound: MonoRecording;
}

/** Two samples of one prompt. */
export interface ListeningPair {
  instruction: string;
  /** Codebook 0 of the recording that the prompt asks to edit. */
  source: number[];
  sourceSound: MonoRecording;
  /** One of each system, in the systems' order. */
  samples: [ListeningSample, ListeningSample];
}

/** Pairs to be listened to, and the names of the two systems that they compare. */
export interface Listening {
  systems: [string, string];
  pairs: ListeningPair[];
}
