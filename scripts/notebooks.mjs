// `npm run notebooks`: runs notebooks from top to bottom in quick mode and saves the executed copies under output/MMDD-HHMM/.
// npm run notebooks -- NAME...               only these
// npm run notebooks -- --publish [NAME...]   runs them as they are meant (minutes each) and writes the outputs into notebooks/ itself, as
// committed
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { command, jupyterEnvironment, prepareLab } from './lab/environment.mjs';
import { notebookPath, publishOutputs } from './lab/publish.mjs';
import { root, run } from './setup.mjs';

const args = process.argv.slice(2);
const publish = args.includes('--publish');
const unknownOption = args.find((arg) => arg.startsWith('--') && arg !== '--publish');
if (unknownOption) {
  console.error(
    `There is no option ${unknownOption}; there is --publish, and names of notebooks choose some`,
  );
  process.exit(2);
}
const all = readdirSync(join(root, 'notebooks'))
  .filter((file) => file.endsWith('.ipynb'))
  .map((file) => file.slice(0, -'.ipynb'.length));
const names = args
  .filter((arg) => !arg.startsWith('--'))
  .map((arg) => arg.replace(/^notebooks\/|\.ipynb$/g, ''));
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`There is no notebook ${unknown.join(', ')}; there are ${all.join(', ')}`);
  process.exit(2);
}

await prepareLab();

const folder = makeFolder();
const failed = [];
for (const name of names.length > 0 ? names : all) {
  const startedMs = performance.now();
  const executed = join(folder, `${name}.ipynb`);
  const source = readFileSync(notebookPath(root, name), 'utf8');
  const problem =
    (await execute(name)) ?? (publish ? publishOutputs(root, name, { source, executed }) : undefined);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  console.log(`${problem ?? relative(root, executed)} (${name}, ${seconds} s)`);
  if (problem) failed.push(name);
}
process.exitCode = failed.length > 0 ? 1 : 0;

/** @returns what went wrong */
async function execute(name) {
  const convert = [
    'nbconvert',
    '--to',
    'notebook',
    '--execute',
    '--ExecutePreprocessor.startup_timeout=300',
    '--output-dir',
    folder,
  ];
  const code = await run(
    command('python'),
    ['-m', ...convert, '--log-level', 'ERROR', join('notebooks', `${name}.ipynb`)],
    jupyterEnvironment({ SPEECH_DPO_MODE: process.env.SPEECH_DPO_MODE ?? (publish ? 'notebook' : 'quick') }),
  );
  return code === 0 ? undefined : `failed: ${name}`;
}

function makeFolder() {
  const now = new Date();
  const two = (number) => String(number).padStart(2, '0');
  const minute = `${two(now.getMonth() + 1)}${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}`;
  for (let i = 1; ; i++) {
    const path = join(root, 'output', i === 1 ? `notebooks-${minute}` : `notebooks-${minute}-${i}`);
    if (statSync(path, { throwIfNoEntry: false })) continue;
    mkdirSync(path, { recursive: true });
    return path;
  }
}
