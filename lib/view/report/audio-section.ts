import { basename } from 'node:path';
import type { AudioExample } from '../../experiment/audio-examples.js';
import {
  ROLE_NAMES,
  clipsByPrompt,
  figuresOf,
  loadClips,
  longestSeconds,
  type ClipOrProblem,
} from '../clips.js';
import { linkedAudioPlayer } from '../audio-player.js';
import { escapeHtml } from '../escape.js';
import type { SoundBudget } from '../sound-budget.js';

export interface AudioSections {
  comparison: string;
  pairs: string;
  /** What a listener has to know of how the sound is in the page. */
  notes: string[];
}

/**
 * Players with spectrograms for all of a run's audio: a block for each prompt, held-out prompts apart from training prompts.
 *
 * @param budget for the sound inside the page; players beyond that point to the files beside it
 */
export async function audioSections(outputDirectory: string, budget: SoundBudget): Promise<AudioSections> {
  const clips = await loadClips(outputDirectory, budget);
  const blocksOf = (split: AudioExample['split']) => clipsByPrompt(clips, split).map(promptBlock).join('\n');
  const command = `speech-dpo report --all-audio output/${basename(outputDirectory)}`;
  return { comparison: blocksOf('test'), pairs: blocksOf('train'), notes: soundNotes(clips, command) };
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
  return promptSection(
    prompt,
    instruction,
    clips.map((clip) => {
      const { role, iteration, file } = clip.example;
      const title = `<b class="${role}">${ROLE_NAMES[role]}</b>${iteration === undefined ? '' : ` iteration ${iteration}`}`;
      return clipCard(clip, { title, longest, file });
    }),
  );
}

/** The cards of a prompt under its instruction. */
export function promptSection(prompt: number, instruction: string, cards: readonly string[]): string {
  return `<section class="prompt"><h3>Prompt ${prompt}: <q>${escapeHtml(instruction)}</q></h3>
<div class="clips">${cards.join('\n')}</div></section>`;
}

/**
 * A clip's player and spectrogram.
 *
 * @param place.title HTML
 * @param place.longest seconds that the width of a card stands for
 * @param place.file where the clip's file is, from the page's folder
 */
export function clipCard(
  clip: ClipOrProblem,
  { title, longest, file }: { title: string; longest: number; file: string },
): string {
  const figures = figuresOf(clip.example).join(', ');
  const score = figures === '' ? '' : `<span>${figures}</span>`;
  const head = `<header><span>${title}</span>${score}</header>`;
  if ('problem' in clip)
    return `<article>${head}<p class="problem">${escapeHtml(clip.problem)}</p></article>`;
  const share = ((100 * clip.durationSeconds) / longest).toFixed(1);
  const seconds = `${clip.durationSeconds.toFixed(2)} s`;
  return `<article>${head}<div class="spectrogram"><img style="width:${share}%" src="${clip.spectrogram}" alt="spectrogram, ${seconds}"><span>${seconds}</span></div>${clip.player ?? linked(file)}</article>`;
}

function linked(file: string): string {
  return `${linkedAudioPlayer(file)}<p class="note">plays ${escapeHtml(file)}, not inside this page</p>`;
}
