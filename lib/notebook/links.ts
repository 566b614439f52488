import { relative, sep } from 'node:path';
import { escapeHtml } from '../view/escape.js';
import type { Html } from './show.js';

/**
 * Links to files and folders. Where the notebook's own folder is the working one, as in this project's kernel, JupyterLab opens them.
 *
 * @param paths a text in the place of a path stands between the links as it is, as `{ text }`
 */
export function fileLinks(...paths: readonly (string | { text: string })[]): Html {
  const parts = paths.map((path) => (typeof path === 'string' ? fromHere(path) : path));
  const html = parts.map((part) => (typeof part === 'string' ? anchor(part) : escapeHtml(part.text)));
  const text = parts.map((part) => (typeof part === 'string' ? part : part.text));
  return { html: `<div>${html.join(' ')}</div>`, text: text.join(' ') };
}

function anchor(path: string): string {
  const address = path.split('/').map(encodeURIComponent).join('/');
  return `<a href="${escapeHtml(address)}" target="_blank">${escapeHtml(path)}</a>`;
}

/** As Jupyter's addresses are written, also on Windows. */
function fromHere(path: string): string {
  return relative(process.cwd(), path).split(sep).join('/');
}
