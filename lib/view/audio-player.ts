import { escapeHtml } from './escape.js';

/**
 * A player with the sound inside it: works offline, in a saved page and in an untrusted notebook.
 *
 * @param label what a screen reader says of it: which sample, of which prompt, with which reward
 */
export function audioPlayer(wav: Uint8Array, label?: string): string {
  return `<audio controls preload="metadata" style="width:100%" src="data:audio/wav;base64,${Buffer.from(wav).toString('base64')}"${named(label)}></audio>`;
}

/** A player of a file that lies beside the page; silent where it does not, so the page has to say what it plays. */
export function linkedAudioPlayer(relativePath: string, label?: string): string {
  return `<audio controls preload="none"${named(label)} src="${escapeHtml(pathAddress(relativePath))}"></audio>`;
}

/** The address of a file, as seen from the page. */
export function pathAddress(relativePath: string): string {
  return relativePath.split('/').map(encodeURIComponent).join('/');
}

/** The title too: a notebook that is not trusted takes labels away. */
function named(label: string | undefined): string {
  if (label === undefined) return '';
  const text = escapeHtml(label);
  return ` aria-label="${text}" title="${text}"`;
}
