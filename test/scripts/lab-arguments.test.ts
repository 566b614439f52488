import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';
import { labArguments } from '../../scripts/lab/arguments.mjs';
import { notebookPath, publishOutputs } from '../../scripts/lab/publish.mjs';
import { copyForQuickMode, QUICK_FOLDER } from '../../scripts/lab/quick-copies.mjs';
import { temporaryFolder } from '../support/temporary-folder.js';

it('JupyterLab listens on this machine only, and keeps the token that it asks for', () => {
  const args = labArguments(['--port=9000']);
  expect(args.filter((argument) => argument.startsWith('--ip'))).toEqual(['--ip=127.0.0.1']);
  expect(args.join(' ')).not.toMatch(/token|password|allow_origin|disable_check_xsrf|allow_remote/i);
  expect(args.at(-1)).toBe('--port=9000');
});

it('in quick mode it opens copies without outputs, which stay as their reader left them', () => {
  const root = temporaryFolder();
  cpSync(join(findPackageRoot(), 'notebooks'), join(root, 'notebooks'), { recursive: true });
  const copied = copyForQuickMode(root);
  const folder = join(root, QUICK_FOLDER);
  expect(copied).toContain('dpo_mos.ipynb');
  expect(readdirSync(folder)).toEqual(copied);
  for (const name of copied) {
    const { cells } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as {
      cells: { outputs?: unknown[] }[];
    };
    expect(cells.flatMap(({ outputs = [] }) => outputs)).toEqual([]);
  }
  writeFileSync(join(folder, 'dpo_mos.ipynb'), 'of the reader');
  expect(copyForQuickMode(root)).toEqual([]);
  expect(readFileSync(join(folder, 'dpo_mos.ipynb'), 'utf8')).toBe('of the reader');
  expect(labArguments([], QUICK_FOLDER).join(' ')).toContain('/lab/tree/notebooks-quick');
});

it('outputs are published without the folders of a machine, and not over what somebody wrote meanwhile', () => {
  const root = temporaryFolder();
  const path = notebookPath(root, 'some');
  mkdirSync(join(root, 'notebooks'));
  const executed = join(root, 'executed.ipynb');
  const cell = { metadata: { execution: {} }, outputs: [{ text: `${root}/output` }] };
  const publish = (now: string) => {
    writeFileSync(executed, JSON.stringify({ cells: [cell] }));
    writeFileSync(path, now);
    return publishOutputs(root, 'some', { source: 'as it was', executed });
  };
  expect(publish('an edit')).toBe(
    'not published: notebooks/some.ipynb was changed while it was executed, and stays as it is; what was executed is executed.ipynb',
  );
  expect(readFileSync(path, 'utf8')).toBe('an edit');
  expect(existsSync(executed)).toBe(true);
  expect(publish('as it was')).toBeUndefined();
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    cells: [{ metadata: {}, outputs: [{ text: 'output' }] }],
  });
});
