import stringWidth from 'string-width';
import { COLUMN_GAP, columnWidths, type Table } from './table.js';

/** A first column that has others beside it gets at most this share of the width. */
const FIRST_SHARE = 0.5;

/**
 * A table that is at most so many columns of a terminal wide. What is wider goes on in further tables, each with the first column again, whose
 * long texts are wrapped. A single other column that is too wide stays so: no figure is cut.
 */
export function fitTable(table: Table, width: number): Table[] {
  if (table.columns.length === 0) return [table];
  const { columns, rows } = wrapFirst(table, width);
  const [first, ...others] = columnWidths({ columns, rows });
  const groups: number[][] = [[]];
  let used = first;
  for (const [index, each] of others.entries()) {
    if (used + COLUMN_GAP.length + each > width && groups.at(-1)!.length > 0) {
      groups.push([]);
      used = first;
    }
    groups.at(-1)!.push(index + 1);
    used += COLUMN_GAP.length + each;
  }
  return groups.map((group) => ({
    columns: [0, ...group].map((index) => columns[index]),
    rows: rows.map((row) => [0, ...group].map((index) => row[index])),
  }));
}

function wrapFirst({ columns, rows }: Table, width: number): Table {
  const room = Math.floor(columns.length > 1 ? width * FIRST_SHARE : width);
  if (columnWidths({ columns, rows })[0] <= room) return { columns, rows };
  const [{ title, ...style }, ...others] = columns;
  return {
    columns: [{ ...style, title: wrapText(title, room) }, ...others],
    rows: rows.map(([text, ...cells]) => [wrapText(text, room), ...cells]),
  };
}

/** A text in lines of so many columns, broken at blanks, and within words that are longer than a line. */
export function wrapText(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((paragraph) => {
      const lines: string[] = [];
      let line = '';
      for (const { segment } of new Intl.Segmenter().segment(paragraph)) {
        if (line !== '' && stringWidth(line + segment) > width) {
          const blank = segment === ' ' ? line.length : line.lastIndexOf(' ');
          lines.push(blank > 0 ? line.slice(0, blank) : line);
          line = blank > 0 ? line.slice(blank + 1) : '';
        }
        if (line !== '' || segment !== ' ') line += segment;
      }
      return [...lines, line];
    })
    .join('\n');
}
