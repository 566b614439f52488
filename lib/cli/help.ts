/** How the command line explains itself: the page of `speech-dpo` alone, and how wide all help is. */
import type { Command, Help } from 'commander';
import { packageVersion } from '../package-root.js';

/** Without a terminal, and where one does not tell its width. */
const USUAL_COLUMNS = 80;
/** Longer lines are hard to read. */
const MOST_COLUMNS = 100;
/** A longer name of an option stands on a line of its own. */
const LONGEST_TERM = 26;
const INDENT = '  ';

/** Columns that help has. */
export function helpColumns({ isTTY, columns }: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>): number {
  return Math.min((isTTY && columns) || USUAL_COLUMNS, MOST_COLUMNS);
}

/** Names on the left and descriptions beside them, or below names that are long, so that no line is longer than the help is wide. */
function formatItem(this: Help, term: string, termWidth: number, description: string, helper: Help): string {
  const column = Math.min(termWidth, LONGEST_TERM);
  const width = (helper.helpWidth ?? USUAL_COLUMNS) - column - 2 * INDENT.length;
  const lines = description === '' ? [] : helper.boxWrap(description, width).split('\n');
  const below = `\n${INDENT}${' '.repeat(column)}${INDENT}`;
  if (helper.displayWidth(term) > column) return [INDENT + term, ...lines].join(below);
  return (INDENT + term.padEnd(column) + INDENT + lines.join(below)).trimEnd();
}

/** To be given to a command before its subcommands are made, which inherit it. */
export function configureHelp(command: Command): void {
  command
    .configureOutput({
      getOutHelpWidth: () => helpColumns(process.stdout),
      getErrHelpWidth: () => helpColumns(process.stderr),
    })
    .configureHelp({ formatItem, minWidthToWrap: 20 });
}

/** What `speech-dpo` alone prints: what it is, how to begin, where help is. */
export const FIRST_PAGE = `speech-dpo ${packageVersion()} trains a speech codec language model on its own best and
worst samples: it samples edits of spoken sentences, scores them, and teaches
the model by Direct Preference Optimization (DPO) to prefer the better ones.

What this machine has for it, and what it lacks:
  npx speech-dpo doctor
A first experiment with the embedded model, which takes some minutes:
  npx speech-dpo even-token --iterations 2
The runs that you have, with their names and results:
  npx speech-dpo runs
To go on with a run that was interrupted (write a run's name for 0601-1200):
  npx speech-dpo resume 0601-1200
An edit of your own recording by a run's trained model:
  npx speech-dpo edit --wav in.wav --instruction "Make it faster." \\
    --policy 0601-1200

npx speech-dpo --help lists all commands, and npx speech-dpo COMMAND --help the
options of one. README.md and the pages in docs/ explain what they do.
`;
