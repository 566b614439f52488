import type { AudioExample } from '../../experiment/audio-examples.js';
import { ROLE_NAMES, clipsByPrompt, loadClips, longestSeconds, type ClipOrProblem } from '../clips.js';
import { escapeHtml } from '../escape.js';
import { formatNumber } from '../format.js';

/** WAV bytes that go into the page itself; players beyond that point to the files beside it. */
const EMBEDDED_BYTES = 24 * 2 ** 20;

/** Players with spectrograms for all of a run's audio: a block for each prompt, held-out prompts apart from training prompts. */
export async function audioSections(outputDirectory: string): Promise<{ comparison: string; pairs: string }> {
  const clips = await loadClips(outputDirectory, EMBEDDED_BYTES);
  const blocksOf = (split: AudioExample['split']) => clipsByPrompt(clips, split).map(promptBlock).join('\n');
  return { comparison: blocksOf('test'), pairs: blocksOf('train') };
}

/** One prompt: its instruction and all its clips, their spectrograms on one time scale. */
function promptBlock(clips: ClipOrProblem[]): string {
  const longest = longestSeconds(clips);
  const { prompt, instruction } = clips[0].example;
  return `<section class="prompt"><h3>Prompt ${prompt}: <q>${escapeHtml(instruction)}</q></h3>
<div class="clips">${clips.map((clip) => clipCard(clip, longest)).join('\n')}</div></section>`;
}

function clipCard(clip: ClipOrProblem, longest: number): string {
  const { role, iteration, reward } = clip.example;
  const title = `<b class="${role}">${ROLE_NAMES[role]}</b>${iteration === undefined ? '' : ` iteration ${iteration}`}`;
  const score = reward === undefined ? '' : `<span>reward ${formatNumber(reward)}</span>`;
  const head = `<header><span>${title}</span>${score}</header>`;
  if ('problem' in clip)
    return `<article>${head}<p class="problem">${escapeHtml(clip.problem)}</p></article>`;
  const share = ((100 * clip.durationSeconds) / longest).toFixed(1);
  const seconds = `${clip.durationSeconds.toFixed(2)} s`;
  return `<article>${head}<div class="spectrogram"><img style="width:${share}%" src="${clip.spectrogram}" alt="spectrogram, ${seconds}"><span>${seconds}</span></div>${clip.player}</article>`;
}
