/** What is printed fits the terminal that it is printed on; what goes into a file or another program is as wide as it is. */
import { fitTable } from '../view/fit-table.js';
import { textTable, type Table } from '../view/table.js';

/** Columns of a terminal on standard output; where it is none, there is no limit. A terminal that does not tell its width is taken for one of 80. */
export function terminalColumns(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}

/** A table as text that is so wide at most: it is continued below. */
export function fittedTable(table: Table, columns: number = terminalColumns()): string {
  return fitTable(table, columns).map(textTable).join('\n\n');
}
