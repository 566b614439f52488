// Notebooks to try: a quick run saved in JupyterLab would overwrite the committed outputs, which show what a notebook is meant to.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Beside notebooks/, so that a cell's '../lib' and '../output' mean the same. Not committed. */
export const QUICK_FOLDER = 'notebooks-quick';

/**
 * Copies the notebooks of `root`, without their outputs, into its notebooks-quick/. A copy that is there already stays as its reader left it.
 *
 * @returns the names of the files that were copied
 */
export function copyForQuickMode(root) {
  const folder = join(root, QUICK_FOLDER);
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(join(root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  for (const name of missing) {
    const notebook = JSON.parse(readFileSync(join(root, 'notebooks', name), 'utf8'));
    for (const cell of notebook.cells)
      if (cell.cell_type === 'code') Object.assign(cell, { outputs: [], execution_count: null });
    writeFileSync(join(folder, name), JSON.stringify(notebook, undefined, 1) + '\n');
  }
  return missing;
}
