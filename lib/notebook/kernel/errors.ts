import { inspect } from 'node:util';
import { firstError } from '../../plain-error.js';

/** An error as Jupyter's `error` message wants it. */
export interface NotebookError {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** What a cell ends with when the stop button was pressed. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

const OWN_FRAMES =
  /^\s+at .*(tslab[\\/]dist|lib[\\/]notebook[\\/]kernel|node:internal|node:vm|process\.processTicksAndRejections)/;
/** What source maps put above an error: the line of the library that threw it. */
const EXCERPT = /^\S.*:\d+\n.*\n *\^+\n+(?=\S)/;

/** A thrown value, without the frames that lead into the kernel. */
export function describeError(thrown: unknown): NotebookError {
  const error = firstError(thrown);
  if (isInterruption(error)) {
    const evalue = 'the stop button ended this cell';
    return { ename: 'Interrupted', evalue, traceback: [`Interrupted: ${evalue}`] };
  }
  if (!(error instanceof Error)) {
    const evalue = inspect(error);
    return { ename: 'Thrown value', evalue, traceback: [`Thrown value: ${evalue}`] };
  }
  const lines = inspect(error).replace(EXCERPT, '').split('\n');
  const traceback = lines.filter((line) => !OWN_FRAMES.test(line));
  // Anything may be assigned to them, also what is no JSON.
  return { ename: String(error.name), evalue: String(error.message), traceback };
}

/** The compiler's complaints about a cell, each with line and column, the line itself and a mark below the place. */
export function describeDiagnostics(
  cell: string,
  diagnostics: readonly { line: number; column: number; message: string }[],
): NotebookError {
  const lines = cell.split('\n');
  const describe = ({ line, column, message }: (typeof diagnostics)[number]) =>
    `line ${line}, column ${column}: ${message}`;
  return {
    ename: 'TypeScript',
    evalue: describe(diagnostics[0]),
    traceback: diagnostics.map((diagnostic) => {
      const { line, column } = diagnostic;
      return `${describe(diagnostic)}\n    ${lines[line - 1] ?? ''}\n    ${' '.repeat(column - 1)}^`;
    }),
  };
}

function isInterruption(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  // tslab's own words for an interrupted promise, and Node.js' for interrupted synchronous code.
  const isTslabs = error.message === 'Interrupted asynchronously';
  return error instanceof Interrupted || isTslabs || code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
}
