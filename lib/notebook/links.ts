import { statSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { NO_TEX, escapeHtml } from '../view/escape.js';
import type { Html } from './show.js';

/**
 * Links to files, which JupyterLab opens where the notebook's own folder is the working one, as in this project's kernel. It opens no
 * folders: their names are there to read.
 *
 * @param paths a text in the place of a path stands between the links as it is, as `{ text }`
 */
export function fileLinks(...paths: readonly (string | { text: string })[]): Html {
  const parts = paths.map((part) => {
    if (typeof part !== 'string') return { text: part.text, html: escapeHtml(part.text) };
    const text = fromHere(part);
    const isFolder = statSync(part, { throwIfNoEntry: false })?.isDirectory();
    return { text, html: isFolder ? escapeHtml(text) : anchor(text) };
  });
  const html = parts.map((part) => part.html).join(' ');
  return { html: `<div ${NO_TEX}>${html}</div>`, text: parts.map(({ text }) => text).join(' ') };
}

function anchor(path: string): string {
  const address = path.split('/').map(encodeURIComponent).join('/');
  // A name is not broken at its hyphen.
  return `<a href="${escapeHtml(address)}" target="_blank" style="white-space:nowrap">${escapeHtml(path)}</a>`;
}

/** As Jupyter's addresses are written, also on Windows. */
function fromHere(path: string): string {
  return relative(process.cwd(), path).split(sep).join('/');
}
