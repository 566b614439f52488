import { readFile, realpath } from 'node:fs/promises';
import { extname, isAbsolute, relative, resolve, sep } from 'node:path';
import { parseWav, toMono } from '../../audio/wav.js';
import { readAudioIndex, type AudioExample } from '../../experiment/audio-examples.js';
import { audioPlayer, linkedAudioPlayer } from '../audio-player.js';
import { escapeHtml } from '../escape.js';
import { formatNumber } from '../format.js';
import { spectrogramDataUri } from '../spectrogram.js';

/** WAV bytes that go into the page itself; players beyond that point to the files beside it. */
const EMBEDDED_BYTES = 24 * 2 ** 20;

const ROLE_NAMES: Record<AudioExample['role'], string> = {
  source: 'source',
  target: 'target',
  original: 'original policy',
  trained: 'trained policy',
  chosen: 'chosen',
  rejected: 'rejected',
};

interface Clip {
  example: AudioExample;
  durationSeconds: number;
  player: string;
  spectrogram: string;
}

/** A clip, or why it cannot be shown. */
type ClipOrProblem = Clip | { example: AudioExample; problem: string };

/** Players with spectrograms for all of a run's audio: a block for each prompt, held-out prompts apart from training prompts. */
export async function audioSections(outputDirectory: string): Promise<{ comparison: string; pairs: string }> {
  const { examples } = await readAudioIndex(outputDirectory);
  const clips: ClipOrProblem[] = [];
  let embeddedBytes = 0;
  for (const example of examples) {
    try {
      const bytes = await readFile(await locateWav(outputDirectory, example.file));
      embeddedBytes += bytes.length;
      clips.push(showClip(example, bytes, embeddedBytes <= EMBEDDED_BYTES));
    } catch (error) {
      clips.push({ example, problem: (error as Error).message });
    }
  }
  const blocksOf = (split: AudioExample['split']) => {
    const prompts = [
      ...new Set(clips.filter(({ example }) => example.split === split).map(({ example }) => example.prompt)),
    ];
    return prompts
      .sort((a, b) => a - b)
      .map((prompt) =>
        promptBlock(clips.filter(({ example }) => example.split === split && example.prompt === prompt)),
      )
      .join('\n');
  };
  return { comparison: blocksOf('test'), pairs: blocksOf('train') };
}

/**
 * The path of a WAV file that audio.json names.
 *
 * @throws Error when it is missing, no WAV file, or not inside the run's folder (links are followed first)
 */
async function locateWav(outputDirectory: string, file: string): Promise<string> {
  const path = resolve(outputDirectory, file);
  if (isOutside(outputDirectory, path))
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

function showClip(example: AudioExample, bytes: Uint8Array, embed: boolean): Clip {
  const recording = parseWav(bytes, example.file);
  const samples = toMono(recording);
  return {
    example,
    durationSeconds: samples.length / recording.sampleRateHz,
    player: embed ? audioPlayer(bytes) : linkedAudioPlayer(example.file),
    spectrogram: spectrogramDataUri(samples, recording.sampleRateHz),
  };
}

/** One prompt: its instruction and all its clips, their spectrograms on one time scale. */
function promptBlock(clips: ClipOrProblem[]): string {
  const longest = Math.max(...clips.map((clip) => ('problem' in clip ? 0 : clip.durationSeconds)));
  const { prompt, instruction } = clips[0].example;
  return `<section class="prompt"><h3>Prompt ${prompt}: <q>${escapeHtml(instruction)}</q></h3>
<div class="clips">${clips.map((clip) => clipCard(clip, longest)).join('\n')}</div></section>`;
}

function clipCard(clip: ClipOrProblem, longestSeconds: number): string {
  const { role, iteration, reward } = clip.example;
  const title = `<b class="${role}">${ROLE_NAMES[role]}</b>${iteration === undefined ? '' : ` iteration ${iteration}`}`;
  const score = reward === undefined ? '' : `<span>reward ${formatNumber(reward)}</span>`;
  const head = `<header><span>${title}</span>${score}</header>`;
  if ('problem' in clip)
    return `<article>${head}<p class="problem">${escapeHtml(clip.problem)}</p></article>`;
  const share = ((100 * clip.durationSeconds) / (longestSeconds || 1)).toFixed(1);
  const seconds = `${clip.durationSeconds.toFixed(2)} s`;
  return `<article>${head}<div class="spectrogram"><img style="width:${share}%" src="${clip.spectrogram}" alt="spectrogram, ${seconds}"><span>${seconds}</span></div>${clip.player}</article>`;
}
