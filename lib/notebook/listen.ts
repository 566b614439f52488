import { basename, join, relative, resolve, sep } from 'node:path';
import type { AudioExample } from '../experiment/audio-examples.js';
import { encodeMuLawWav } from '../audio/mu-law.js';
import { encodeWav, type NamedRecording } from '../audio/wav.js';
import { audioPlayer, pathAddress } from '../view/audio-player.js';
import {
  ROLE_NAMES,
  clipRows,
  clipsByPrompt,
  figuresOf,
  labelOf,
  loadClips,
  longestSeconds,
  placeOf,
  preferRanked,
  type ClipOrProblem,
} from '../view/clips.js';
import type { ComparedRun } from '../view/compare/runs.js';
import { loadComparedPrompts, type ComparedSamples } from '../view/compare/sound.js';
import { NO_TEX, escapeHtml } from '../view/escape.js';
import { soundCard, soundlessCard, soundRow } from '../view/sound-card.js';
import { NO_LIMIT, planSounds, type SoundBudget, type SoundForm } from '../view/sound-budget.js';
import { soundScript } from '../view/sound-script.js';
import { SCALE_NOTE } from '../view/spectrogram-picture.js';
import { highestHz, spectrogramDataUri } from '../view/spectrogram.js';
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
  /** Of each policy the first sample of a prompt (default), or the best, the median and the worst, where the run has kept their sound. */
  samples?: 'first' | 'ranked';
}

/** Which clips of several runs to hear. */
export interface RunsChoice extends Embedding {
  /** Number of prompts, from the first one on. */
  prompts?: number;
  /** Of each policy the first sample of a prompt (default), or the best, the median and the worst, where every run has kept their sound. */
  samples?: ComparedSamples;
}

/**
 * Players of a run's clips, side by side for each prompt, with spectrograms on one time scale and rewards. The sound is inside, so it
 * plays in untrusted and in exported notebooks; where it is too much for that, the file's name stands in the player's place. Where the
 * notebook is trusted, one sound plays at a time, and a click on a spectrogram seeks.
 *
 * @param outputDirectory the run's `output/{name}`
 * @throws Error when the run has no such clips
 */
export async function listen(outputDirectory: string, choice: ClipChoice): Promise<Html> {
  const { split, roles, iteration, prompts = Infinity, samples = 'first', embed } = choice;
  const clips = await loadClips(outputDirectory, embed === 'all' ? NO_LIMIT : BUDGET, (examples) =>
    (samples === 'ranked' ? preferRanked(examples) : examples.filter(({ standing }) => !standing)).filter(
      (example) =>
        example.split === split &&
        example.prompt < prompts &&
        (roles?.includes(example.role) ?? true) &&
        (iteration === undefined || example.iteration === undefined || example.iteration === iteration),
    ),
  );
  if (clips.length === 0)
    throw new Error(
      `${outputDirectory} has no such clips: raise audioPrompts, or wait for the run to write them`,
    );
  return promptsHtml(
    clipsByPrompt(clips, split).map((block) => block.map((clip) => ({ clip, outputDirectory }))),
  );
}

/**
 * Players of the same held-out prompts by several runs, side by side: what {@link listen} shows of one run.
 *
 * @throws Error when the runs have no clips of the same prompts
 */
export async function listenToRuns(
  runs: readonly ComparedRun[],
  { embed, ...choice }: RunsChoice = {},
): Promise<Html> {
  const compared = await loadComparedPrompts(runs, embed === 'all' ? NO_LIMIT : BUDGET, choice);
  if (compared.length === 0)
    throw new Error('these runs have no clips of the same held-out prompts: raise audioPrompts');
  return promptsHtml(compared.map(({ clips }) => clips));
}

interface TitledClip {
  clip: ClipOrProblem;
  /** Default: the clip's role. */
  title?: string;
  outputDirectory: string;
}

function promptsHtml(blocks: readonly TitledClip[][]): Html {
  const forms = blocks.flat().map(({ clip }) => ('form' in clip ? clip.form : undefined));
  return {
    html: outputHtml(forms, blocks.map(promptHtml)),
    text: blocks
      .map(
        (block) =>
          `${block[0].clip.example.instruction}: ${block.map(({ clip, title, outputDirectory }) => (title ? join(shortFolder(outputDirectory), clip.example.file) : clip.example.file)).join(', ')}`,
      )
      .join('\n'),
  };
}

function outputHtml(forms: readonly (SoundForm | undefined)[], blocks: readonly string[]): string {
  return `<div ${NO_TEX}>${noteHtml(forms)}${blocks.join('')}${soundScript()}</div>`;
}

function promptHtml(clips: readonly TitledClip[]): string {
  const longest = longestSeconds(clips.map(({ clip }) => clip));
  const { prompt, instruction } = clips[0].clip.example;
  const heading = `<div style="margin:10px 0 4px 0">Prompt ${prompt}: <b>${escapeHtml(instruction)}</b></div>`;
  const rows = clipRows(clips, ({ clip }) => clip.example).map(({ title, clips: own }) =>
    soundRow(
      own.map((clip) => clipHtml(clip, longest)),
      title,
    ),
  );
  return `<div>${heading}${rows.join('')}</div>`;
}

/** "output/0601-1200". */
function shortFolder(outputDirectory: string): string {
  return join(...resolve(outputDirectory).split(sep).slice(-2));
}

/** What the pictures show, and a sentence for the listener where the sound is not as it is in the files. */
function noteHtml(forms: readonly (SoundForm | undefined)[]): string {
  const sentences = [
    SCALE_NOTE,
    ...(forms.includes('mu-law')
      ? [
          "These sounds are in 8 bits, with a faint hiss of their own, to keep the notebook small; the option embed: 'all' puts them in as they are.",
        ]
      : []),
  ];
  return sentences
    .map((sentence) => `<div style="opacity:0.75;font-size:90%">${escapeHtml(sentence)}</div>`)
    .join('');
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
    const title = `<b>${escapeHtml(name)}</b>`;
    if (samples.length === 0) return soundlessCard(title, [], 'It holds no sound.');
    if (form === 'left out')
      return soundlessCard(
        title,
        [],
        `${NOT_IN} Show fewer or shorter recordings, or all: the option embed: 'all'.`,
      );
    return soundCard({
      title,
      player: audioPlayer(encode(samples, sampleRateHz), name),
      sound: {
        durationSeconds: seconds[i],
        spectrogram: spectrogramDataUri(samples, sampleRateHz),
        maxHz: highestHz(sampleRateHz),
      },
      longestSeconds: longest,
      fileName: /\.wav$/i.test(name) ? name : `${name}.wav`,
    });
  });
  return {
    html: outputHtml([form], [soundRow(cards)]),
    text: recordings.map(({ name }, i) => `${name}, ${seconds[i].toFixed(2)} s`).join('\n'),
  };
}

function clipHtml({ clip, title, outputDirectory }: TitledClip, longestSeconds: number): string {
  const { example } = clip;
  const heading = [`<b>${escapeHtml(title ?? ROLE_NAMES[example.role])}</b>`, ...placeOf(example)].join(', ');
  const figures = figuresOf(example);
  if ('problem' in clip) return soundlessCard(heading, figures, clip.problem);
  const file = join(shortFolder(outputDirectory), example.file);
  const address = pathAddress(
    relative(process.cwd(), join(resolve(outputDirectory), example.file))
      .split(sep)
      .join('/'),
  );
  return soundCard({
    title: heading,
    figures,
    player: clip.sound
      ? audioPlayer(clip.sound, labelOf(example, title))
      : problemHtml(`${NOT_IN} The file: ${file}. The option embed: 'all' puts it in.`),
    sound: clip,
    longestSeconds,
    codes: example.codes,
    fileName: basename(example.file),
    link: `<a href="${escapeHtml(address)}" title="${escapeHtml(file)}">${escapeHtml(basename(example.file))}</a>`,
  });
}

function problemHtml(sentence: string): string {
  return `<div style="overflow-wrap:anywhere">${escapeHtml(sentence)}</div>`;
}
