import { readFile, realpath } from 'node:fs/promises';
import { extname, isAbsolute, relative, resolve, sep } from 'node:path';
import { parseWav, toMono } from '../audio/wav.js';
import { readAudioIndex, type AudioExample } from '../experiment/audio-examples.js';
import { audioPlayer, linkedAudioPlayer } from './audio-player.js';
import { spectrogramDataUri } from './spectrogram.js';

export const ROLE_NAMES: Record<AudioExample['role'], string> = {
  source: 'source',
  target: 'target',
  original: 'original policy',
  trained: 'trained policy',
  chosen: 'chosen',
  rejected: 'rejected',
};

/** One of a run's WAV files, ready to be shown: HTML of its player, and a picture. */
export interface Clip {
  example: AudioExample;
  durationSeconds: number;
  player: string;
  /** Address of the spectrogram's PNG. */
  spectrogram: string;
}

/** A clip, or why it cannot be shown. */
export type ClipOrProblem = Clip | { example: AudioExample; problem: string };

/**
 * All clips of a run, those of the first prompts first.
 *
 * @param embeddedBytes WAV bytes that may go into the players themselves; players beyond that point to the files
 * @param wanted clips that are left out are not read
 */
export async function loadClips(
  outputDirectory: string,
  embeddedBytes: number,
  wanted: (example: AudioExample) => boolean = () => true,
): Promise<ClipOrProblem[]> {
  const { examples } = await readAudioIndex(outputDirectory);
  const clips: ClipOrProblem[] = [];
  let bytesSoFar = 0;
  for (const example of examples.filter(wanted)) {
    try {
      const bytes = await readFile(await locateWav(outputDirectory, example.file));
      bytesSoFar += bytes.length;
      clips.push(makeClip(example, bytes, bytesSoFar <= embeddedBytes));
    } catch (error) {
      clips.push({ example, problem: (error as Error).message });
    }
  }
  return clips;
}

/** The clips of each prompt of one split, in the prompts' order. */
export function clipsByPrompt(
  clips: readonly ClipOrProblem[],
  split: AudioExample['split'],
): ClipOrProblem[][] {
  const own = clips.filter(({ example }) => example.split === split);
  const prompts = [...new Set(own.map(({ example }) => example.prompt))].sort((a, b) => a - b);
  return prompts.map((prompt) => own.filter(({ example }) => example.prompt === prompt));
}

/** The longest clip's duration: one time scale for the pictures of a prompt. */
export function longestSeconds(clips: readonly ClipOrProblem[]): number {
  return Math.max(...clips.map((clip) => ('problem' in clip ? 0 : clip.durationSeconds))) || 1;
}

/**
 * The path of a WAV file that audio.json names.
 *
 * @throws Error when it is missing, no WAV file, or not inside the run's folder (links are followed first)
 */
async function locateWav(outputDirectory: string, file: string): Promise<string> {
  const path = resolve(outputDirectory, file);
  if (isOutside(resolve(outputDirectory), path))
    throw new Error(`${file} is outside the run's folder and is left out`);
  if (extname(path).toLowerCase() !== '.wav') throw new Error(`${file} is not a .wav file and is left out`);
  const real = await realpath(path).catch(() => {
    throw new Error(`${file} is missing`);
  });
  if (isOutside(await realpath(outputDirectory), real))
    throw new Error(`${file} leads outside the run's folder and is left out`);
  return real;
}

function isOutside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || isAbsolute(way) || way.split(sep)[0] === '..';
}

function makeClip(example: AudioExample, bytes: Uint8Array, embed: boolean): Clip {
  const recording = parseWav(bytes, example.file);
  const samples = toMono(recording);
  return {
    example,
    durationSeconds: samples.length / recording.sampleRateHz,
    player: embed ? audioPlayer(bytes) : linkedAudioPlayer(example.file),
    spectrogram: spectrogramDataUri(samples, recording.sampleRateHz),
  };
}
