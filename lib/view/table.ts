import stringWidth from 'string-width';
import { escapeHtml, escapeProse, showableText } from './escape.js';

export interface Column {
  title: string;
  /** Numbers stand right, text left (default). */
  align?: 'left' | 'right';
}

/** A column of numbers. */
export const numberColumn = (title: string): Column => ({ title, align: 'right' });

/** A table as text: `rows[row][column]`. */
export interface Table {
  columns: Column[];
  rows: string[][];
  /** What stands in the place of rows where there are none; default: "nothing to show". */
  empty?: string;
}

const NO_ROWS = 'nothing to show';
/** Between the columns of a text table. */
export const COLUMN_GAP = '  ';
/** Characters. */
const LONGEST_NAME = 32;

/** The table as HTML. Every cell shows exactly its text; a text of several lines keeps its characters in columns. */
export function htmlTable({ columns, rows, empty = NO_ROWS }: Table): string {
  // In the cells, since a notebook has no style sheet of its own and aligns everything right.
  const styles = { left: 'text-align:left', right: 'text-align:right;white-space:nowrap' };
  const cell = (tag: 'th' | 'td', text: string, column: number) =>
    `<${tag} style="${styles[columns[column].align ?? 'left']}${wrapping(text)}">${escapeProse(text)}</${tag}>`;
  const line = (tag: 'th' | 'td', cells: string[]) =>
    `<tr>${cells.map((text, i) => cell(tag, text, i)).join('')}</tr>`;
  const head = line(
    'th',
    columns.map(({ title }) => title),
  );
  const body =
    rows.length > 0
      ? rows.map((row) => line('td', row)).join('\n')
      : `<tr><td colspan="${columns.length}" style="${styles.left}">${escapeHtml(empty)}</td></tr>`;
  return `<table><thead>${head}</thead><tbody>${body}</tbody></table>`;
}

/** A name is broken neither at its hyphens nor within; one longer than {@link LONGEST_NAME}, as of a folder, where it must be. */
function wrapping(text: string): string {
  if (text.includes('\n')) return ';white-space:pre;font-family:monospace';
  const longest = Math.max(...text.split(/\s+/).map((word) => word.length));
  if (longest > LONGEST_NAME) return `;overflow-wrap:anywhere;min-width:${LONGEST_NAME}ch`;
  return /^\S+-\S+$/.test(text) ? ';white-space:nowrap' : '';
}

/** The table for a terminal: columns padded to one width, two spaces apart, a rule under the titles. */
export function textTable({ columns, rows, empty = NO_ROWS }: Table): string {
  const widths = columnWidths({ columns, rows });
  const pad = (text: string, column: number) => {
    const blanks = ' '.repeat(widths[column] - stringWidth(text));
    return columns[column].align === 'right' ? blanks + text : text + blanks;
  };
  const linesOf = (row: readonly string[]) =>
    toLines(row).map((line) => line.map(pad).join(COLUMN_GAP).trimEnd());
  const rule = widths.map((width) => '-'.repeat(width)).join(COLUMN_GAP);
  const body = rows.flatMap(linesOf);
  return [...linesOf(columns.map(({ title }) => title)), rule, ...(body.length > 0 ? body : [empty])].join(
    '\n',
  );
}

/** Columns of a terminal that each column of a table takes. */
export function columnWidths({ columns, rows }: Table): number[] {
  const lines = [columns.map(({ title }) => title), ...rows].flatMap(toLines);
  return columns.map((_, column) => Math.max(...lines.map((line) => stringWidth(line[column]))));
}

/** A row of cells as rows of one line each. */
function toLines(row: readonly string[]): string[][] {
  const cells = row.map((text) =>
    showableText(text)
      .replaceAll('\t', ' ')
      .split(/\r\n|\n|\r/),
  );
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, i) => cells.map((lines) => lines[i] ?? ''));
}
