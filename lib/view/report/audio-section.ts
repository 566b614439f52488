import { basename } from 'node:path';
import type { AudioExample } from '../../experiment/audio-examples.js';
import { ORIGINAL, type Split } from '../../run/events.js';
import {
  preferRanked,
  isSample,
  clipRows,
  ROLE_NAMES,
  clipsByPrompt,
  figuresOf,
  labelOf,
  loadClips,
  longestSeconds,
  mostClips,
  placeOf,
  type ClipOrProblem,
} from '../clips.js';
import { audioPlayer, linkedAudioPlayer } from '../audio-player.js';
import { escapeHtml } from '../escape.js';
import { soundCard, soundlessCard, soundRow } from '../sound-card.js';
import { soundScript } from '../sound-script.js';
import type { SoundBudget } from '../sound-budget.js';
import { note } from './parts.js';

export interface AudioSections {
  comparison: string;
  pairs: string;
  /** What a listener has to know of how the sound is in the page. */
  notes: string[];
}

/** Where scripts run. */
const HELP =
  'One sound plays at a time. A click on a spectrogram moves there. The button of a row, or the key “x”, goes on with the other sound of the ' +
  'row at the same position. A click on the reward chart plays the sample whose reward is nearest to it.';

const ONE_SAMPLE =
  'Of each policy there is one sample here, the first. A run keeps the sound of the best, the median and the worst sample where an ' +
  'evaluation has three samples a prompt or more';

/**
 * Players with spectrograms for a run's audio: a block for each prompt, held-out prompts apart from training prompts. Of the policies'
 * samples it shows the best, the median and the worst, where the run kept their sound.
 *
 * @param budget for the sound inside the page; players beyond that point to the files beside it
 */
export async function audioSections(outputDirectory: string, budget: SoundBudget): Promise<AudioSections> {
  const clips = await loadClips(outputDirectory, budget, preferRanked);
  const blocksOf = (split: Split) => clipsByPrompt(clips, split).map(promptBlock).join('\n');
  const command = `speech-dpo report --all-audio output/${basename(outputDirectory)}`;
  const [comparison, pairs] = [blocksOf('test'), blocksOf('train')];
  const other = clips.length > 0 ? note(OTHER_PROMPTS) + soundScript({ keys: true }) : '';
  return {
    comparison: comparison && soundHelp(HELP) + comparison + other,
    pairs: pairs && (comparison ? pairs : soundHelp(HELP) + pairs + other),
    notes: soundNotes(clips, command),
  };
}

const OTHER_PROMPTS =
  'Of other prompts no sound was written: the parameter audioPrompts of a run says of how many in each split it is.';

/** What the script of a page says of itself; hidden where no script runs. */
export function soundHelp(text: string): string {
  return `<p class="note sound-help" hidden>${escapeHtml(text)}</p>`;
}

/**
 * What a listener has to know of how clips are in a page.
 *
 * @param command puts all of them in as they are
 */
export function soundNotes(clips: readonly ClipOrProblem[], command: string): string[] {
  const forms = new Set(clips.map((clip) => ('form' in clip ? clip.form : undefined)));
  return [
    ...(forms.has('mu-law')
      ? [`The sound is coded in 8 bits here, with a faint hiss of its own; "${command}" puts it in as it is.`]
      : []),
    ...(forms.has('left out')
      ? [
          'Some players play files beside this page, which they name, and are silent where the page is without them; ' +
            `"${command}" puts all sound into the page.`,
        ]
      : []),
  ];
}

/** One prompt: its instruction and all its clips, their spectrograms on one time scale. */
function promptBlock(clips: ClipOrProblem[]): string {
  const longest = longestSeconds(clips);
  const { prompt, instruction } = clips[0].example;
  const compared = clipRows(clips, ({ example }) => example);
  const rows = compared.map(({ title, clips: own }) => {
    const cards = own.map((clip) => {
      const { role, file } = clip.example;
      const name = `<b class="${role}">${ROLE_NAMES[role]}</b>`;
      return clipCard(clip, {
        title: [name, placeOf(clip.example).join(', ')].join(' ').trim(),
        longest,
        file,
      });
    });
    return soundRow(cards, title);
  });
  return promptSection(prompt, instruction, [...rows, ...oneSampleNote(clips)], mostClips(compared));
}

/**
 * Says of a prompt's clips why there is one sample of each policy; nothing where there are more.
 *
 * @param ofSeveralRuns where one run without the others is enough for that
 */
export function oneSampleNote(clips: readonly ClipOrProblem[], ofSeveralRuns = false): string[] {
  const samples = clips.map(({ example }) => example).filter(isSample);
  const isOne = samples.length > 0 && samples.every(({ standing }) => standing === undefined);
  return isOne ? [note(`${ONE_SAMPLE}${ofSeveralRuns ? ', and not all of these runs have it' : ''}.`)] : [];
}

/**
 * The rows of a prompt under its instruction.
 *
 * @param columns how many cards stand side by side where there is room: those of the longest row, so that all cards are equally wide
 */
export function promptSection(
  prompt: number,
  instruction: string,
  rows: readonly string[],
  columns: number,
): string {
  return `<section class="prompt" style="--columns:${columns}"><h3>Prompt ${prompt}: <q>${escapeHtml(instruction)}</q></h3>
${rows.join('\n')}</section>`;
}

/**
 * A clip's player and spectrogram.
 *
 * @param place.title HTML
 * @param place.longest seconds that the width of a card stands for
 * @param place.file where the clip's file is, from the page's folder
 * @param place.name whose the clip is, for a screen reader; default: its role
 */
export function clipCard(
  clip: ClipOrProblem,
  { title, longest, file, name }: { title: string; longest: number; file: string; name?: string },
): string {
  const { example } = clip;
  const figures = figuresOf(example);
  if ('problem' in clip) return soundlessCard(title, figures, clip.problem);
  const label = labelOf(example, name);
  return soundCard({
    title,
    figures,
    player: clip.sound ? audioPlayer(clip.sound, label) : linked(file, label),
    sound: clip,
    longestSeconds: longest,
    codes: example.codes,
    fileName: basename(example.file),
    data: name === undefined ? clickData(example) : {},
  });
}

/** By what a click on the reward chart finds a policy's sample. */
function clickData({ split, role, iteration, reward }: AudioExample): Record<string, string | number> {
  if (reward === undefined || role === 'source' || role === 'target') return {};
  // The pairs of an iteration are samples of the policy before it.
  const policy =
    iteration === undefined ? { original: ORIGINAL, trained: 'last' }[role as 'original'] : iteration - 1;
  return { split, reward, policy };
}

function linked(file: string, label: string): string {
  return `${linkedAudioPlayer(file, label)}<p class="note">plays ${escapeHtml(file)}, not inside this page</p>`;
}
