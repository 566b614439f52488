// Native libraries from PyPI's wheels: fetched package by package, each checked by hash, cut down to what is loaded. They are described by
//   folder        where they come to lie, below the project's root
//   requirements  the file there that names versions and hashes
//   isKept        says of a file's path whether it is kept
//   neededBytes   of what is there when all is done, and the largest package on its way there: as a file, unpacked, in its place
//   title         "the CUDA libraries"
//   command       what fetches them: "npm run gpu"
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { findPython } from './lab/python.mjs';

/** Tells what the folder holds, and of which requirements. */
const RECORD = 'installed.json';

/** The wheels are those for Python 3.12, whatever Python fetches them: none is run. */
const WHEELS = [
  ...['--only-binary=:all:', '--python-version=3.12', '--implementation=cp', '--abi=cp312', '--abi=none'],
  ...[
    '--platform=manylinux_2_28_x86_64',
    '--platform=manylinux_2_27_x86_64',
    '--platform=manylinux_2_25_x86_64',
    '--platform=manylinux2014_x86_64',
    '--platform=manylinux2010_x86_64',
  ],
];

const partOf = (folder) => `${folder}.part`;
/** The requirements as they lie beside a fetch that is under way. */
const NOTED = 'requirements.txt';

/** True where everything of today's requirements lies in its folder with the sizes it had. */
export function hasLibraries(root, libraries) {
  const folder = join(root, libraries.folder);
  const record = join(folder, RECORD);
  if (!existsSync(record)) return false;
  const { requirements, files } = JSON.parse(readFileSync(record, 'utf8'));
  return (
    requirements === readFileSync(join(root, libraries.requirements), 'utf8') &&
    Object.entries(files).every(([path, size]) => sizeOf(join(folder, path)) === size)
  );
}

/**
 * Fetches the packages of the requirements into their folder, as `pip install --target` lays them out. Each package is complete or not
 * there: after an interrupt the next call begins with the one that was under way.
 *
 * @throws Error in one sentence where the disk is too small, Python is missing, or pip fails (a wrong hash included)
 */
export function fetchLibraries(
  root,
  libraries,
  { environment = process.env, freeBytes = bytesFree(root), onNotice = console.log } = {},
) {
  const folder = join(root, libraries.folder);
  const part = partOf(folder);
  const requirements = readFileSync(join(root, libraries.requirements), 'utf8');
  const noted = join(part, NOTED);
  if (!existsSync(noted) || readFileSync(noted, 'utf8') !== requirements) {
    rmSync(part, { recursive: true, force: true });
    mkdirSync(join(part, 'done'), { recursive: true });
    writeFileSync(noted, requirements);
  }
  const packages = requirements.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const markers = packages.map((line) => join(part, 'done', `${line.split(' ')[0]}.json`));
  checkDisk(libraries, markers.filter(existsSync), freeBytes);
  const tree = join(part, 'tree');
  for (const [index, line] of packages.entries()) {
    if (existsSync(markers[index])) continue;
    onNotice(`fetching ${line.split(' ')[0]} (${index + 1} of ${packages.length})`);
    const files = fetchPackage(line, libraries, part, tree, environment);
    writeFileSync(`${markers[index]}.part`, JSON.stringify(files));
    renameSync(`${markers[index]}.part`, markers[index]);
  }
  const files = Object.assign({}, ...markers.map(readJson));
  writeFileSync(join(tree, RECORD), JSON.stringify({ requirements, files }, null, 2));
  rmSync(folder, { recursive: true, force: true });
  renameSync(tree, folder);
  rmSync(part, { recursive: true, force: true });
}

/** Deletes the folder and whatever an interrupted fetch left; returns the bytes that were there. */
export function removeLibraries(root, libraries) {
  const folder = join(root, libraries.folder);
  const folders = [folder, partOf(folder)];
  const bytes = folders.map(bytesBelow).reduce((a, b) => a + b, 0);
  for (const each of folders) rmSync(each, { recursive: true, force: true });
  return bytes;
}

/** Bytes of all files below a folder. */
export function bytesBelow(folder) {
  return Object.values(filesBelow(folder)).reduce((a, b) => a + b, 0);
}

/** Installs one line of the requirements beside the tree, and moves what is kept of it there: path to size. */
function fetchPackage(line, { isKept, command }, part, tree, environment) {
  const [target, temporary, wanted] = ['package', 'tmp', 'package.txt'].map((name) => join(part, name));
  for (const folder of [target, temporary]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  writeFileSync(wanted, line);
  const options = [
    '--disable-pip-version-check',
    '--no-deps',
    '--no-compile',
    '--no-cache-dir',
    '--require-hashes',
  ];
  const pip = ['-m', 'pip', 'install', ...options, ...WHEELS, '--target', target, '-r', wanted];
  // pip unpacks in TMPDIR, which may be a small disk in memory.
  const { status, error } = spawnSync(pythonWithPip(part, environment), pip, {
    stdio: 'inherit',
    env: { ...environment, TMPDIR: temporary },
  });
  if (status !== 0)
    throw new Error(
      `${line.split(' ')[0]} could not be fetched (pip ${error?.message ?? 'says why above'}): run ${command} again to go on from here`,
    );
  const kept = Object.entries(filesBelow(target)).filter(([path]) => isKept(path));
  for (const [path] of kept) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    renameSync(join(target, path), join(tree, path));
  }
  for (const folder of [target, temporary]) rmSync(folder, { recursive: true, force: true });
  return Object.fromEntries(kept);
}

/** A virtual environment beside the fetched files: a system's Python may come without pip, or forbid its use. */
function pythonWithPip(part, environment) {
  const venv = join(part, 'venv');
  const python = join(venv, 'bin', 'python');
  if (existsSync(join(venv, 'ready'))) return python;
  rmSync(venv, { recursive: true, force: true });
  const { status } = spawnSync(findPython(environment), ['-m', 'venv', venv], {
    stdio: 'inherit',
    env: environment,
  });
  if (status !== 0) throw new Error('python3 -m venv failed: on Debian and Ubuntu, apt install python3-venv');
  writeFileSync(join(venv, 'ready'), '');
  return python;
}

function checkDisk({ neededBytes, title, command }, markers, freeBytes) {
  const present = markers.flatMap((marker) => Object.values(readJson(marker))).reduce((a, b) => a + b, 0);
  const needed = neededBytes - present;
  if (freeBytes >= needed) return;
  const [lacking, free] = [needed, freeBytes].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  throw new Error(
    `fetching ${title} takes ${lacking} of disk, and ${free} are free: make room and run ${command} again`,
  );
}

function bytesFree(root) {
  const { bavail, bsize } = statfsSync(root);
  return bavail * bsize;
}

/** Path to size of every file below a folder. */
function filesBelow(folder) {
  if (!existsSync(folder)) return {};
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      return [path.slice(folder.length + 1), statSync(path).size];
    }),
  );
}

const sizeOf = (path) => (existsSync(path) ? statSync(path).size : undefined);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
