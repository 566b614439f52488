/** Sounds side by side, each with its picture and its player; the same in the report, in comparisons and in notebooks. */
import { escapeHtml } from './escape.js';
import { spectrogramPicture, type PicturedSound } from './spectrogram-picture.js';

/** What one card shows. Parts that are HTML say so. */
export interface SoundCard {
  /** HTML. */
  title: string;
  /** HTML: the player, or what stands in its place. */
  player: string;
  sound: PicturedSound;
  /** Seconds that the width of every picture of the comparison stands for. */
  longestSeconds: number;
  /** "reward 0.62". */
  figures?: readonly string[];
  /** The first codebook's row. */
  codes?: readonly number[];
  /** Name of the file that a listener downloads. */
  fileName: string;
  /** HTML: where the file is. */
  link?: string;
  /** What the page's script finds the sound by, beside its file's name: see `sound-script.ts`. */
  data?: Readonly<Record<string, string | number>>;
}

/** Wide enough that a browser's own player has a bar to seek on. */
const CARD =
  'min-width:0;max-width:560px;box-sizing:border-box;padding:9px 10px 8px;border:1px solid rgba(128,128,128,0.45);border-radius:8px';
const LINE = 'display:flex;flex-wrap:wrap;justify-content:space-between;column-gap:12px';

export function soundCard(card: SoundCard): string {
  const { title, player, sound, longestSeconds, figures = [], codes, fileName, link, data } = card;
  const attributes = Object.entries({ longest: longestSeconds, file: fileName, ...data })
    .map(([name, value]) => ` data-${name}="${escapeHtml(String(value))}"`)
    .join('');
  return (
    `<article class="sound" style="${CARD}"${attributes}>${heading(title, figures)}` +
    `<div style="margin:6px 0">${spectrogramPicture(sound, longestSeconds)}</div>${player}` +
    `<div class="sound-foot" style="${LINE};font-size:12px"><span style="opacity:0.8">${sound.durationSeconds.toFixed(2)} s</span>${link ?? ''}</div>` +
    `${codes ? codesHtml(codes) : ''}</article>`
  );
}

/** A card that says why there is nothing to hear. */
export function soundlessCard(title: string, figures: readonly string[], problem: string): string {
  return `<article style="${CARD}">${heading(title, figures)}<p class="problem" style="overflow-wrap:anywhere">${escapeHtml(problem)}</p></article>`;
}

/**
 * Cards between which a listener switches at one position.
 *
 * @param title text above them; absent where the cards need none
 */
export function soundRow(cards: readonly string[], title = ''): string {
  return (
    `<div class="sound-row" style="display:grid;grid-template-columns:var(--sound-columns,repeat(auto-fit,minmax(min(330px,100%),1fr)));gap:10px 12px;margin:0 0 14px">` +
    `<div class="sound-row-head" style="grid-column:1/-1;display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px;font-size:13px"><span>${escapeHtml(title)}</span></div>${cards.join('\n')}</div>`
  );
}

function heading(title: string, figures: readonly string[]): string {
  return `<header style="${LINE};font-size:13px"><span>${title}</span> <span>${figures.map(escapeHtml).join(', ')}</span></header>`;
}

function codesHtml(codes: readonly number[]): string {
  return (
    `<details style="margin:4px 0 0"><summary style="font-size:12px">Codes: ${codes.length} frames of the first codebook</summary>` +
    `<code style="display:block;max-height:110px;overflow-y:auto;overflow-wrap:anywhere;font-size:12px">${codes.join(' ')}</code></details>`
  );
}
