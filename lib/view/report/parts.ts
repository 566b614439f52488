/** Small parts that the sections of pages are made of. */
import { escapeProse } from '../escape.js';
import { htmlTable, type Table } from '../table.js';

export function note(text: string): string {
  return `<p class="note">${escapeProse(text)}</p>`;
}

export function warning(text: string): string {
  return `<p class="warning">${escapeProse(text)}</p>`;
}

/** A table that a page narrower than it scrolls; what an empty one advises is for notebooks. */
export function scrolling({ columns, rows }: Table): string {
  return `<div class="scroll">${htmlTable({ columns, rows })}</div>`;
}

/** A table of names, values and what they mean; on a phone each meaning stands below its name. */
export function meanings({ columns, rows }: Table): string {
  return `<div class="stacked">${htmlTable({ columns, rows })}</div>`;
}
