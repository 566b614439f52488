import { onAnyGround } from '../view/dark-colors.js';
import { NO_TEX } from '../view/escape.js';
import { figureSvg } from '../view/svg/figure-svg.js';
import { CHART_CONFIG, type Figure } from '../view/figure.js';
import { htmlTable, textTable, type Table } from '../view/table.js';
import { notebookKernel, type MimeBundle } from './notebook-kernel.js';

/** Markup, made of escaped parts, and what a viewer without markup shows. */
export interface Html {
  html: string;
  text: string;
}

export type Showable = Figure | Table | Html;

/** Shows figures, tables and markup below the running cell, one after the other. Outside a notebook it prints their text. */
export function show(...contents: Showable[]): void {
  const kernel = notebookKernel();
  for (const content of contents) kernel.display(toBundle(content));
}

/** A content in every format that a notebook's viewers may want: live, as a picture, as text. */
export function toBundle(content: Showable): MimeBundle {
  if ('html' in content) return htmlBundle(content);
  if ('columns' in content) {
    return htmlBundle({
      html: `<div ${NO_TEX} style="overflow-x:auto">${htmlTable(content)}</div>`,
      text: textTable(content),
    });
  }
  return {
    'application/vnd.plotly.v1+json': {
      ...onAnyGround(content),
      config: CHART_CONFIG,
    },
    'image/svg+xml': figureSvg(content),
    'text/plain': '[chart]',
  };
}

export function htmlBundle({ html, text }: Html): MimeBundle {
  return { 'text/html': html, 'text/plain': text };
}
