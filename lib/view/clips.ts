import { readFile, stat } from 'node:fs/promises';
import { encodeMuLawWav } from '../audio/mu-law.js';
import { parseWav, toMono } from '../audio/wav.js';
import { readAudioIndex, type AudioExample } from '../experiment/audio-examples.js';
import { locateWav } from '../experiment/locate-wav.js';
import { groupBy } from '../group-by.js';
import { sentenceOf } from '../plain-error.js';
import { formatNumber } from '../format.js';
import { planSounds, type SoundBudget, type SoundForm } from './sound-budget.js';
import type { PicturedSound } from './spectrogram-picture.js';
import { highestHz, spectrogramDataUri } from './spectrogram.js';

export const ROLE_NAMES: Record<AudioExample['role'], string> = {
  source: 'source',
  target: 'target',
  original: 'original policy',
  trained: 'trained policy',
  chosen: 'chosen',
  rejected: 'rejected',
};

/** What is known of an example beside its sound: "reward 0.62", "WER 14 %". */
export function figuresOf({ reward, wer }: AudioExample): string[] {
  return [
    ...(reward === undefined ? [] : [`reward ${formatNumber(reward)}`]),
    ...(wer === undefined ? [] : [`WER ${formatNumber(100 * wer, 0)} %`]),
  ];
}

/** Which of a policy's samples an example is: "best, sample 3"; of a pair, of which iteration. */
export function placeOf({ standing, sample, iteration }: AudioExample): string[] {
  return [
    ...(standing ? [standing] : []),
    ...(sample === undefined ? [] : [`sample ${sample + 1}`]),
    ...(iteration === undefined ? [] : [`iteration ${iteration}`]),
  ];
}

/**
 * What a screen reader says of an example: its prompt, whose it is, which one, its reward.
 *
 * @param name whose it is; default: its role
 */
export function labelOf(example: AudioExample, name: string = ROLE_NAMES[example.role]): string {
  const { split, prompt, instruction } = example;
  const parts = [name, ...placeOf(example), ...figuresOf(example)];
  return `${split === 'test' ? 'held-out' : 'training'} prompt ${prompt}, “${instruction}”: ${parts.join(', ')}`;
}

/** One of a run's WAV files, ready to be shown: its sound and a picture. */
export interface Clip extends PicturedSound {
  example: AudioExample;
  form: SoundForm;
  /** A WAV file; absent where the sound is left out of the page. */
  sound?: Uint8Array;
}

/** A clip, or why it cannot be shown. */
export type ClipOrProblem = Clip | { example: AudioExample; problem: string };

/**
 * Clips of a run, those of the first prompts first.
 *
 * @param budget for the sound of all of them; a prompt's clips are inside as a whole or not at all
 * @param choose clips that it leaves out are not read
 */
export async function loadClips(
  outputDirectory: string,
  budget: SoundBudget,
  choose: (examples: readonly AudioExample[]) => readonly AudioExample[],
): Promise<ClipOrProblem[]> {
  const { examples } = await readAudioIndex(outputDirectory);
  const groups = groupByPrompt(choose(examples));
  const placed = groups.map((group) => group.map((example) => ({ outputDirectory, example })));
  return (await loadClipGroups(placed, budget)).flat();
}

/**
 * Clips of any runs, in groups that one compares.
 *
 * @param budget for the sound of all of them; a group's clips are inside as a whole or not at all, the first groups first
 */
export async function loadClipGroups(
  groups: readonly (readonly { outputDirectory: string; example: AudioExample }[])[],
  budget: SoundBudget,
): Promise<ClipOrProblem[][]> {
  const located = await Promise.all(
    groups.map((group) =>
      Promise.all(group.map(({ outputDirectory, example }) => locateClip(outputDirectory, example))),
    ),
  );
  const forms = planSounds(
    located.map((group) => group.reduce((total, clip) => total + ('bytes' in clip ? clip.bytes : 0), 0)),
    budget,
  );
  const loaded: ClipOrProblem[][] = [];
  for (const [i, group] of located.entries()) {
    const clips: ClipOrProblem[] = [];
    for (const clip of group) clips.push('path' in clip ? await makeClip(clip, forms[i]) : clip);
    loaded.push(clips);
  }
  return loaded;
}

/** The examples of each prompt, in the prompts' order; held-out prompts, which tell what was learned, first. */
function groupByPrompt(examples: readonly AudioExample[]): AudioExample[][] {
  const sorted = [...examples].sort((a, b) => a.prompt - b.prompt || a.split.localeCompare(b.split));
  return [...groupBy(sorted, ({ split, prompt }) => `${split} ${prompt}`).values()];
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

/** Clips that one compares, under a title. */
export interface ClipRow<T> {
  title: string;
  clips: T[];
}

/** A prompt's clips in rows: recordings, samples of one standing by every policy, the pair of each iteration. */
export function clipRows<T>(clips: readonly T[], exampleOf: (clip: T) => AudioExample): ClipRow<T>[] {
  const rows = groupBy(clips, (clip) => rowTitle(exampleOf(clip)));
  return [...rows].map(([title, own]) => ({ title, clips: own }));
}

/** How many clips the longest row has. */
export function mostClips(rows: readonly ClipRow<unknown>[]): number {
  return Math.max(...rows.map(({ clips }) => clips.length));
}

function rowTitle({ role, standing, iteration }: AudioExample): string {
  if (role === 'source' || role === 'target') return 'Recordings of the data set';
  if (role === 'original' || role === 'trained')
    return standing ? `The ${standing} sample of each policy` : 'The first sample of each policy';
  return `A pair of iteration ${iteration}`;
}

/** Of policies' samples those that were chosen for their reward, or the first ones where a prompt has no others. */
export function preferRanked(examples: readonly AudioExample[]): AudioExample[] {
  const promptOf = ({ split, prompt }: AudioExample) => `${split} ${prompt}`;
  const ranked = new Set(examples.filter(({ standing }) => standing).map(promptOf));
  return examples.filter((each) => each.standing || !isSample(each) || !ranked.has(promptOf(each)));
}

/** Whether it is a policy's sample in an evaluation. */
export function isSample({ role }: Pick<AudioExample, 'role'>): boolean {
  return role === 'original' || role === 'trained';
}

/** The longest clip's duration: one time scale for the pictures of a prompt. */
export function longestSeconds(clips: readonly ClipOrProblem[]): number {
  return Math.max(...clips.map((clip) => ('problem' in clip ? 0 : clip.durationSeconds))) || 1;
}

interface LocatedClip {
  example: AudioExample;
  path: string;
  bytes: number;
}

async function locateClip(
  outputDirectory: string,
  example: AudioExample,
): Promise<LocatedClip | { example: AudioExample; problem: string }> {
  try {
    const path = await locateWav(outputDirectory, example.file);
    return { example, path, bytes: (await stat(path)).size };
  } catch (error) {
    return { example, problem: sentenceOf(error) };
  }
}

async function makeClip({ example, path }: LocatedClip, form: SoundForm): Promise<ClipOrProblem> {
  try {
    const bytes = await readFile(path);
    const recording = parseWav(bytes, example.file);
    const samples = toMono(recording);
    if (samples.length === 0) return { example, problem: `${example.file} holds no sound` };
    const wav = {
      'as it is': () => bytes,
      'mu-law': () => encodeMuLawWav(samples, recording.sampleRateHz),
      'left out': () => undefined,
    }[form]();
    return {
      example,
      form,
      durationSeconds: samples.length / recording.sampleRateHz,
      ...(wav && { sound: wav }),
      spectrogram: spectrogramDataUri(samples, recording.sampleRateHz),
      maxHz: highestHz(recording.sampleRateHz),
    };
  } catch (error) {
    return { example, problem: sentenceOf(error) };
  }
}
