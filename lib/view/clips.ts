import { readFile, stat } from 'node:fs/promises';
import { encodeMuLawWav } from '../audio/mu-law.js';
import { parseWav, toMono } from '../audio/wav.js';
import { readAudioIndex, type AudioExample } from '../experiment/audio-examples.js';
import { locateWav } from '../experiment/locate-wav.js';
import { audioPlayer } from './audio-player.js';
import { formatNumber } from './format.js';
import { planSounds, type SoundBudget, type SoundForm } from './sound-budget.js';
import { spectrogramDataUri } from './spectrogram.js';

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

/** One of a run's WAV files, ready to be shown: HTML of its player with the sound inside, and a picture. */
export interface Clip {
  example: AudioExample;
  durationSeconds: number;
  form: SoundForm;
  /** Absent where the sound is left out of the page. */
  player?: string;
  /** Address of the spectrogram's PNG. */
  spectrogram: string;
}

/** A clip, or why it cannot be shown. */
export type ClipOrProblem = Clip | { example: AudioExample; problem: string };

/**
 * All clips of a run, those of the first prompts first.
 *
 * @param budget for the sound of all of them; a prompt's clips are inside as a whole or not at all
 * @param wanted clips that are left out are not read
 */
export async function loadClips(
  outputDirectory: string,
  budget: SoundBudget,
  wanted: (example: AudioExample) => boolean = () => true,
): Promise<ClipOrProblem[]> {
  const { examples } = await readAudioIndex(outputDirectory);
  const groups = groupByPrompt(examples.filter(wanted));
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
  const groups = new Map<string, AudioExample[]>();
  const sorted = [...examples].sort((a, b) => a.prompt - b.prompt || a.split.localeCompare(b.split));
  for (const example of sorted) {
    const key = `${example.split} ${example.prompt}`;
    groups.set(key, [...(groups.get(key) ?? []), example]);
  }
  return [...groups.values()];
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
    return { example, problem: (error as Error).message };
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
      ...(wav && { player: audioPlayer(wav) }),
      spectrogram: spectrogramDataUri(samples, recording.sampleRateHz),
    };
  } catch (error) {
    return { example, problem: (error as Error).message };
  }
}
