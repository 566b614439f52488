import type { AudioExample } from '../../experiment/audio-examples.js';
import { encodeWav } from '../../audio/wav.js';
import { audioPlayer } from '../audio-player.js';
import type { NamedRecording } from '../charts.js';
import {
  ROLE_NAMES,
  clipsByPrompt,
  loadClips,
  longestSeconds,
  type Clip,
  type ClipOrProblem,
} from '../clips.js';
import { escapeHtml } from '../escape.js';
import { formatNumber } from '../format.js';
import { spectrogramDataUri } from '../spectrogram.js';
import type { Html } from './show.js';

/** WAV bytes in one notebook output: about ten clips of two seconds, and the notebook stays small. */
const EMBEDDED_BYTES = 750_000;

/** Which of a run's clips to hear; what is left out is not narrowed down. */
export interface ClipChoice {
  split: AudioExample['split'];
  roles?: readonly AudioExample['role'][];
  /** Of chosen and rejected clips. */
  iteration?: number;
  /** Number of prompts, from the first one on. */
  prompts?: number;
}

/**
 * Players of a run's clips, side by side for each prompt, with spectrograms on one time scale and rewards. The sound is inside, so it
 * plays in untrusted and in exported notebooks.
 *
 * @param outputDirectory the run's `output/{name}`
 * @throws Error when the run has no such clips
 */
export async function listen(outputDirectory: string, choice: ClipChoice): Promise<Html> {
  const { split, roles, iteration, prompts = Infinity } = choice;
  const clips = await loadClips(
    outputDirectory,
    EMBEDDED_BYTES,
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
  const blocks = clipsByPrompt(clips, split);
  return {
    html: blocks.map(promptHtml).join(''),
    text: blocks
      .map(
        (block) => `${block[0].example.instruction}: ${block.map(({ example }) => example.file).join(', ')}`,
      )
      .join('\n'),
  };
}

function promptHtml(clips: readonly ClipOrProblem[]): string {
  const longest = longestSeconds(clips);
  const { prompt, instruction } = clips[0].example;
  const heading = `<div style="margin:10px 0 4px 0">Prompt ${prompt}: <b>${escapeHtml(instruction)}</b></div>`;
  return `<div>${heading}${clips.map((clip) => clipHtml(clip, longest)).join('')}</div>`;
}

const CARD_WIDTH = 212;
const CARD = `display:inline-block;vertical-align:top;width:${CARD_WIDTH}px;margin:0 14px 8px 0`;

/** Players of recordings, side by side, with spectrograms on one time scale. */
export function players(recordings: readonly NamedRecording[]): Html {
  const seconds = recordings.map(({ samples, sampleRateHz }) => samples.length / sampleRateHz);
  const longest = Math.max(...seconds);
  const cards = recordings.map(({ name, samples, sampleRateHz }, i) =>
    soundHtml([`<b>${escapeHtml(name)}</b>`], longest, {
      durationSeconds: seconds[i],
      player: audioPlayer(encodeWav(samples, sampleRateHz)),
      spectrogram: spectrogramDataUri(samples, sampleRateHz),
    }),
  );
  return {
    html: `<div>${cards.join('')}</div>`,
    text: recordings.map(({ name }, i) => `${name}, ${seconds[i].toFixed(2)} s`).join('\n'),
  };
}

function clipHtml(clip: ClipOrProblem, longest: number): string {
  const { role, iteration, reward } = clip.example;
  const heading = [
    `<b>${ROLE_NAMES[role]}</b>`,
    ...(iteration === undefined ? [] : [`iteration ${iteration}`]),
    ...(reward === undefined ? [] : [`reward ${formatNumber(reward)}`]),
  ];
  if (!('problem' in clip)) return soundHtml(heading, longest, clip);
  return `<div style="${CARD}"><div>${heading.join(', ')}</div><div>${escapeHtml(clip.problem)}</div></div>`;
}

/** Styles stand in the elements: style sheets do not survive in notebooks that are not trusted. */
function soundHtml(
  heading: readonly string[],
  longestSeconds: number,
  { durationSeconds, player, spectrogram }: Pick<Clip, 'durationSeconds' | 'player' | 'spectrogram'>,
): string {
  const width = Math.max(1, Math.round((CARD_WIDTH * durationSeconds) / longestSeconds));
  const picture = `<img src="${spectrogram}" alt="spectrogram" style="display:block;width:${width}px;height:80px;margin:4px 0 4px 0">`;
  return (
    `<div style="${CARD}"><div>${heading.join(', ')}</div>${picture}` +
    `<div style="opacity:0.75;font-size:90%">${durationSeconds.toFixed(2)} s</div>${player}</div>`
  );
}
