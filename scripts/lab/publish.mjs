// What `npm run notebooks -- --publish` commits of an execution.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';

/** A code host shows larger notebooks late or not at all. */
const LARGEST_BYTES = 1.5 * 2 ** 20;

/** Where the notebook of a name is committed. */
export const notebookPath = (root, name) => join(root, 'notebooks', `${name}.ipynb`);

/**
 * Puts the executed copy in the notebook's place, without what differs between machines: the folders' names and times.
 *
 * @param source the notebook's text as it was executed
 * @returns what went wrong
 */
export function publishOutputs(root, name, { source, executed }) {
  const masked = readFileSync(executed, 'utf8').replaceAll(`${root}/`, '').replaceAll(`${homedir()}/`, '~/');
  const notebook = JSON.parse(masked);
  for (const cell of notebook.cells) delete cell.metadata.execution;
  const text = JSON.stringify(notebook, undefined, 1) + '\n';
  if (Buffer.byteLength(text) > LARGEST_BYTES)
    return `not published: ${name} is larger than 1.5 MB; let its listen() show fewer prompts, with prompts: 2 among its options`;
  const path = notebookPath(root, name);
  if (readFileSync(path, 'utf8') !== source)
    return `not published: ${relative(root, path)} was changed while it was executed, and stays as it is; what was executed is ${relative(root, executed)}`;
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  rmSync(executed);
  return undefined;
}
