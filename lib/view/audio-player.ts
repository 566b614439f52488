import { escapeHtml } from './escape.js';

/** A player with the sound inside it: works offline, in a saved page and in an untrusted notebook. */
export function audioPlayer(wav: Uint8Array): string {
  return `<audio controls preload="metadata" style="width:100%" src="data:audio/wav;base64,${Buffer.from(wav).toString('base64')}"></audio>`;
}

/** A player of a file that lies beside the page; silent where it does not, so the page has to say what it plays. */
export function linkedAudioPlayer(relativePath: string): string {
  return `<audio controls preload="none" src="${escapeHtml(relativePath.split('/').map(encodeURIComponent).join('/'))}"></audio>`;
}
