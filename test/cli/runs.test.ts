/** `speech-dpo runs`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { runTable, type ListedRun } from '../../lib/cli/runs.js';
import { fitTable } from '../../lib/view/fit-table.js';
import { textTable } from '../../lib/view/table.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { fixtureEvents, writeFixtureRun } from '../view/fixture-run.js';
import { captureTerminal } from '../support/terminal.js';

const terminal = captureTerminal();

const run = (...args: string[]) => main(args, new AbortController().signal);

/** A folder with one run whose run.json is changed. */
async function makeRun(change: (record: Record<string, unknown>) => object = (record) => record) {
  const made = await writeFixtureRun({ events: fixtureEvents(2) });
  const path = join(made.modelDirectory, 'run.json');
  const record = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify(change(record)));
  return { ...made, record };
}

it('lists reward, state, iterations, held-out reward before and after, and size on disk', async () => {
  const { root, modelDirectory, outputDirectory, record } = await makeRun();
  expect(await run('runs', root, '--json')).toBe(0);
  const files = [modelDirectory, outputDirectory].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true }),
  );
  const bytes = files
    .filter((file) => file.isFile())
    .reduce((total, { parentPath, name }) => total + readFileSync(join(parentPath, name)).length, 0);
  const [listed, ...others] = JSON.parse(terminal.printed) as ListedRun[];
  expect(others).toEqual([]);
  expect(listed).toEqual({
    ...{ run: record.run, reward: 'even-token', state: 'finished', bytes, modelDirectory },
    ...{ iterations: { done: 2, planned: expect.any(Number) }, before: 1.25, after: 3.25 },
  });
  terminal.printed = '';
  expect(await run('runs', root)).toBe(0);
  expect(terminal.printed).toMatch(/even-token +finished +2 of \d+ +1\.25 +3\.25 +\+2\.00 +\d+\.\d MB\n$/);
  rmSync(root, { recursive: true });
});

it('a run that nobody writes any more though it had not ended was killed; what cannot be read is told', async () => {
  const { root } = await makeRun((record) => ({ ...record, state: 'running' }));
  mkdirSync(join(root, 'model_output', 'damaged'));
  writeFileSync(join(root, 'model_output', 'damaged', 'run.json'), '{}');
  expect(await run('runs', root)).toBe(0);
  expect(terminal.printed).toContain(' killed ');
  expect(terminal.complained).toMatch(/^run damaged cannot be read: \S+run\.json is no run\.json: [^\n]+\n$/);
  rmSync(root, { recursive: true });
});

it('a run that trained on given pairs names them in place of a reward, and the names of runs below another folder are as commands take them', async () => {
  const { root } = await makeRun((record) => ({ ...record, reward: undefined }));
  expect(await run('runs', root, '--json')).toBe(0);
  const [listed] = JSON.parse(terminal.printed) as ListedRun[];
  expect(listed).not.toHaveProperty('reward');
  expect(textTable(runTable([listed], 'elsewhere'))).toMatch(
    /^elsewhere\/0601-1200 +given pairs +finished /m,
  );
  expect(textTable(runTable([listed]))).toMatch(/^0601-1200 +given pairs +finished /m);
});

it('where there are none it says how to begin, and of a folder that is named which one it has to be', async () => {
  const folder = temporaryFolder();
  expect(await run('runs', folder)).toBe(0);
  expect(terminal.printed).toBe(
    `There are no runs in ${join(folder, 'model_output')}. The folder to name is the one that holds output/ and model_output/.\n`,
  );
  terminal.printed = '';
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
  expect(await run('runs')).toBe(0);
  expect(terminal.printed).toMatch(
    /^There are no runs in model_output\. To begin: npx speech-dpo even-token/,
  );
  vi.restoreAllMocks();
});

it('a finished run whose metrics.jsonl has lost its end is to be gone on with', async () => {
  const { root, modelDirectory } = await makeRun();
  const path = join(modelDirectory, 'metrics.jsonl');
  const lines = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, `${lines.slice(0, 2).join('\n')}\n`);
  expect(await run('runs', root)).toBe(0);
  expect(terminal.printed).toMatch(/even-token +interrupted +0 of \d+ /);
  rmSync(root, { recursive: true });
});

it('a folder that is not there, or is a file, is told', async () => {
  const folder = temporaryFolder();
  expect(await run('runs', join(folder, 'nowhere'))).toBe(2);
  expect(terminal.complained).toBe(`error: ${join(folder, 'nowhere')} does not exist.\n`);
  terminal.complained = '';
  const file = join(folder, 'run.json');
  writeFileSync(file, '{}');
  expect(await run('runs', file)).toBe(2);
  expect(terminal.complained).toContain(
    `${file} is a file; name the folder that holds output/ and model_output/`,
  );
  expect(terminal.printed).toBe('');
});

it('a model_output that cannot be read is told, and does not count as one without runs', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'model_output');
  symlinkSync(path, path);
  expect(await run('runs', folder)).toBe(2);
  expect(terminal.complained).toContain(`error: cannot read ${path}: ELOOP`);
  expect(terminal.printed).toBe('');
});

it('a run that cannot be looked into is told', async () => {
  const { root, modelDirectory } = await makeRun();
  const path = join(dirname(modelDirectory), '0601-0000');
  symlinkSync(path, path);
  expect(await run('runs', root)).toBe(0);
  expect(terminal.complained).toContain(
    `run 0601-0000 cannot be read: cannot read ${join(path, 'run.json')}: ELOOP`,
  );
  expect(terminal.printed).toContain('even-token');
});

it.each([80, 100, 120])('the table fits %i columns', (columns) => {
  const listed: ListedRun = {
    ...{
      run: '1128-1844-2',
      reward: 'even-token+my-own-reward',
      state: 'interrupted',
      bytes: 123_456_789_000,
    },
    ...{ iterations: { done: 10, planned: 100 }, before: -12.345, after: 12.345, modelDirectory: '' },
  };
  const lines = fitTable(runTable([listed]), columns)
    .map(textTable)
    .join('\n\n')
    .split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
});
