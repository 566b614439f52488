import { randomUUID } from 'node:crypto';
import { NO_TEX, escapeHtml } from '../view/escape.js';

/** The same content in several formats, by mime type; a notebook's viewer shows the richest that it knows. */
export type MimeBundle = Record<string, unknown> & { 'text/plain': string };

/** What a notebook's kernel does for the library. The kernel of this project (lib/notebook/kernel) puts it under {@link KERNEL}. */
export interface NotebookKernel {
  /**
   * Shows a bundle below the running cell.
   *
   * @param displayId a name under which it can be replaced
   * @param replace puts it in the place of what was shown under that name, wherever that is
   */
  display(bundle: MimeBundle, displayId?: string, replace?: boolean): void;
  /** A signal that the stop button aborts, once. */
  interruptSignal(): AbortSignal;
}

export const KERNEL = Symbol.for('speech-dpo.notebook-kernel');

type GlobalWithKernel = typeof globalThis & { [KERNEL]?: NotebookKernel };

/** The kernel that this code runs in; outside a notebook, text on standard output and a signal that nothing aborts. */
export function notebookKernel(): NotebookKernel {
  return (globalThis as GlobalWithKernel)[KERNEL] ?? TERMINAL;
}

const TERMINAL: NotebookKernel = {
  display(bundle, _displayId, replace) {
    // A terminal keeps what was printed: of an area that changes only the first and what stays are worth lines.
    if (!replace) process.stdout.write(bundle['text/plain'] + '\n');
  },
  interruptSignal: () => new AbortController().signal,
};

/**
 * One place below the running cell whose content can be replaced, also after the cell has ended.
 *
 * @returns shows a bundle there; `stays` says that no other one follows, so that it is also printed outside a notebook
 */
export function openDisplayArea(): (bundle: MimeBundle, stays?: boolean) => void {
  const kernel = notebookKernel();
  const id = randomUUID();
  let shown = false;
  return (bundle, stays = false) => {
    kernel.display(bundle, id, shown && !(stays && kernel === TERMINAL));
    shown = true;
  };
}

/** What the library has to tell, below the running cell; no error, so it is not written to stderr, which notebooks show in red. */
export function printNotice(sentence: string): void {
  const html = `<div ${NO_TEX} style="opacity:0.75">${escapeHtml(sentence)}</div>`;
  notebookKernel().display({ 'text/html': html, 'text/plain': sentence });
}
