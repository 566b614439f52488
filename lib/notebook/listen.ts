import { join, resolve, sep } from 'node:path';
import type { AudioExample } from '../experiment/audio-examples.js';
import { encodeMuLawWav } from '../audio/mu-law.js';
import { encodeWav, type NamedRecording } from '../audio/wav.js';
import { audioPlayer } from '../view/audio-player.js';
import {
  ROLE_NAMES,
  clipsByPrompt,
  figuresOf,
  loadClips,
  longestSeconds,
  type Clip,
  type ClipOrProblem,
} from '../view/clips.js';
import type { ComparedRun } from '../view/compare/runs.js';
import { loadComparedPrompts } from '../view/compare/sound.js';
import { NO_TEX, escapeHtml } from '../view/escape.js';
import { NO_LIMIT, planSounds, type SoundBudget, type SoundForm } from '../view/sound-budget.js';
import { spectrogramDataUri } from '../view/spectrogram.js';
import type { Html } from './show.js';

/**
 * Of one output. Eight clips of three seconds at 16 kHz go in as they are, and a code host still shows the notebook. Compressed, five
 * minutes: JupyterLab carries more without effort, but writes all of it anew whenever it saves.
 */
const BUDGET: SoundBudget = { asTheyAre: 750_000, compressed: 5_000_000 };

/** How much sound is put into an output. */
export interface Embedding {
  /** "all": every sound as it is, whatever its size. Default: beyond 750 kB in 8 bits, and beyond 5 MB of those left out. */
  embed?: 'all';
}

/** Which of a run's clips to hear; what is left out is not narrowed down. */
export interface ClipChoice extends Embedding {
  split: AudioExample['split'];
  roles?: readonly AudioExample['role'][];
  /** Of chosen and rejected clips. */
  iteration?: number;
  /** Number of prompts, from the first one on. */
  prompts?: number;
}

/**
 * Players of a run's clips, side by side for each prompt, with spectrograms on one time scale and rewards. The sound is inside, so it
 * plays in untrusted and in exported notebooks; where it is too much for that, the file's name stands in the player's place.
 *
 * @param outputDirectory the run's `output/{name}`
 * @throws Error when the run has no such clips
 */
export async function listen(outputDirectory: string, choice: ClipChoice): Promise<Html> {
  const { split, roles, iteration, prompts = Infinity, embed } = choice;
  const clips = await loadClips(
    outputDirectory,
    embed === 'all' ? NO_LIMIT : BUDGET,
    (example) =>
      example.split === split &&
      example.prompt < prompts &&
      (roles?.includes(example.role) ?? true) &&
      (iteration === undefined || example.iteration === undefined || example.iteration === iteration),
  );
  if (clips.length === 0)
    throw new Error(
      `${outputDirectory} has no such clips: raise audioPrompts, or wait for the run to write them`,
    );
  const folder = shortFolder(outputDirectory);
  return promptsHtml(clipsByPrompt(clips, split).map((block) => block.map((clip) => ({ clip, folder }))));
}

/**
 * Players of the same held-out prompts by several runs, side by side: what {@link listen} shows of one run.
 *
 * @param prompts how many, from the first one on
 * @throws Error when the runs have no clips of the same prompts
 */
export async function listenToRuns(
  runs: readonly ComparedRun[],
  { prompts, embed }: { prompts?: number } & Embedding = {},
): Promise<Html> {
  const compared = await loadComparedPrompts(runs, embed === 'all' ? NO_LIMIT : BUDGET, prompts);
  if (compared.length === 0)
    throw new Error('these runs have no clips of the same held-out prompts: raise audioPrompts');
  return promptsHtml(
    compared.map(({ clips }) =>
      clips.map(({ clip, title, outputDirectory }) => ({
        clip,
        title,
        folder: shortFolder(outputDirectory),
      })),
    ),
  );
}

interface TitledClip {
  clip: ClipOrProblem;
  /** Default: the clip's role. */
  title?: string;
  folder: string;
}

function promptsHtml(blocks: readonly TitledClip[][]): Html {
  const forms = blocks.flat().map(({ clip }) => ('form' in clip ? clip.form : undefined));
  return {
    html: `<div ${NO_TEX}>${noteHtml(forms)}${blocks.map(promptHtml).join('')}</div>`,
    text: blocks
      .map(
        (block) =>
          `${block[0].clip.example.instruction}: ${block.map(({ clip, title, folder }) => (title ? join(folder, clip.example.file) : clip.example.file)).join(', ')}`,
      )
      .join('\n'),
  };
}

function promptHtml(clips: readonly TitledClip[]): string {
  const longest = longestSeconds(clips.map(({ clip }) => clip));
  const { prompt, instruction } = clips[0].clip.example;
  const heading = `<div style="margin:10px 0 4px 0">Prompt ${prompt}: <b>${escapeHtml(instruction)}</b></div>`;
  return `<div>${heading}${clips.map(({ clip, title, folder }) => clipHtml(clip, longest, folder, title)).join('')}</div>`;
}

/** "output/0601-1200". */
function shortFolder(outputDirectory: string): string {
  return join(...resolve(outputDirectory).split(sep).slice(-2));
}

const CARD_WIDTH = 212;
const CARD = `display:inline-block;vertical-align:top;width:${CARD_WIDTH}px;margin:0 14px 8px 0`;

/** A sentence for the listener where the sound is not as it is in the files. */
function noteHtml(forms: readonly (SoundForm | undefined)[]): string {
  if (!forms.includes('mu-law')) return '';
  const sentence =
    "These sounds are in 8 bits, with a faint hiss of their own, to keep the notebook small; the option embed: 'all' puts them in as they are.";
  return `<div style="opacity:0.75;font-size:90%">${escapeHtml(sentence)}</div>`;
}

const NOT_IN = 'Not in this notebook, which would grow too large.';

/**
 * Players of recordings, side by side, with spectrograms on one time scale. The sound is inside; where it is too much for that, a sentence
 * stands in the player's place.
 */
export function players(recordings: readonly NamedRecording[], { embed }: Embedding = {}): Html {
  if (recordings.length === 0) return { html: '<div>No recordings.</div>', text: 'No recordings.' };
  const wavBytes = recordings.reduce((total, { samples }) => total + 2 * samples.length, 0);
  const [form] = planSounds([wavBytes], embed === 'all' ? NO_LIMIT : BUDGET);
  const encode = form === 'mu-law' ? encodeMuLawWav : encodeWav;
  const seconds = recordings.map(({ samples, sampleRateHz }) => samples.length / sampleRateHz);
  const longest = Math.max(...seconds);
  const cards = recordings.map((recording, i) => {
    const { name, samples, sampleRateHz } = recording;
    const heading = [`<b>${escapeHtml(name)}</b>`];
    if (samples.length === 0) return cardHtml(heading, 'It holds no sound.');
    if (form === 'left out')
      return cardHtml(
        heading,
        `${NOT_IN} Show fewer or shorter recordings, or all: the option embed: 'all'.`,
      );
    return soundHtml(heading, longest, {
      durationSeconds: seconds[i],
      player: audioPlayer(encode(samples, sampleRateHz)),
      spectrogram: spectrogramDataUri(samples, sampleRateHz),
    });
  });
  return {
    html: `<div ${NO_TEX}>${noteHtml([form])}${cards.join('')}</div>`,
    text: recordings.map(({ name }, i) => `${name}, ${seconds[i].toFixed(2)} s`).join('\n'),
  };
}

function clipHtml(clip: ClipOrProblem, longest: number, folder: string, title?: string): string {
  const { role, iteration } = clip.example;
  const heading = [
    `<b>${escapeHtml(title ?? ROLE_NAMES[role])}</b>`,
    ...(iteration === undefined ? [] : [`iteration ${iteration}`]),
    ...figuresOf(clip.example),
  ];
  if (!('problem' in clip)) {
    const player =
      clip.player ??
      problemHtml(
        `${NOT_IN} The file: ${join(folder, clip.example.file)}. The option embed: 'all' puts it in.`,
      );
    return soundHtml(heading, longest, { ...clip, player });
  }
  return cardHtml(heading, clip.problem);
}

function cardHtml(heading: readonly string[], sentence: string): string {
  return `<div style="${CARD}"><div>${heading.join(', ')}</div>${problemHtml(sentence)}</div>`;
}

function problemHtml(sentence: string): string {
  return `<div style="overflow-wrap:anywhere">${escapeHtml(sentence)}</div>`;
}

/** Styles stand in the elements: style sheets do not survive in notebooks that are not trusted. */
function soundHtml(
  heading: readonly string[],
  longestSeconds: number,
  {
    durationSeconds,
    player,
    spectrogram,
  }: Pick<Clip, 'durationSeconds' | 'spectrogram'> & { player: string },
): string {
  const width = Math.max(1, Math.round((CARD_WIDTH * durationSeconds) / longestSeconds));
  const picture = `<img src="${spectrogram}" alt="spectrogram" style="display:block;width:${width}px;height:80px;margin:4px 0 4px 0">`;
  return (
    `<div style="${CARD}"><div>${heading.join(', ')}</div>${picture}` +
    `<div style="opacity:0.75;font-size:90%">${durationSeconds.toFixed(2)} s</div>${player}</div>`
  );
}
