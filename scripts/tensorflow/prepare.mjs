// What `npm run tensorflow` does.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bytesBelow, fetchLibraries, hasLibraries } from '../wheels.mjs';

const OPTIONS = ['--gpu', '--remove'];
const FOLDER = '.cache/tensorflow';
const [CPU, GPU] = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'];
/** The newest; it goes with the @tensorflow/tfjs of the same version. */
const VERSION = '4.22.0';
/** The part of Node.js' headers that the addon is written to. */
const HEADERS = { 'node-api-headers': '1.9.0' };
/** The version of Node-API that the addon is compiled for; every Node.js that is supported has it. */
const NAPI = 8;
/** Packages that have to be the project's own: the backend registers itself with the TensorFlow.js beside it. */
const SHARED = ['', '-core', '-converter', '-data', '-layers', '-backend-cpu', '-backend-webgl'];

/** What is kept of the wheels: libraries, what TensorFlow's C header includes, what CUDA's compiler is asked for, licences. */
const KEPT = [
  /^tensorflow\/libtensorflow_\w+\.so\.\d+$/,
  /^tensorflow\/include\/(tensorflow\/c|xla\/tsl\/c)\/.+\.h$/,
  /^tensorflow\/include\/(tensorflow\/core|tsl)\/platform\/ctstring\w*\.h$/,
  /^nvidia\/.+\/lib\/lib[^/]+\.so(\.[\d.]+)?$/,
  /^nvidia\/cuda_nvcc\/(bin\/ptxas|nvvm\/libdevice\/.+)$/,
  /^[^/]+\.dist-info\/(licenses\/)?license[^/]*$|^tensorflow\/THIRD_PARTY_NOTICES/i,
];
const isKept = (path) => KEPT.some((pattern) => pattern.test(path));

/** TensorFlow's wheels as `wheels.mjs` takes them. */
const WHEELS = {
  [CPU]: {
    requirements: 'requirements-tensorflow.txt',
    title: "TensorFlow's library",
    command: 'npm run tensorflow',
    neededBytes: 2.6e9,
  },
  [GPU]: {
    requirements: 'requirements-tensorflow-gpu.txt',
    title: 'the libraries of TensorFlow and CUDA',
    command: 'npm run tensorflow -- --gpu',
    neededBytes: 8e9,
  },
};

/**
 * @param args those of `npm run tensorflow`
 * @param machine where the project is, and what a test puts in the place of this machine
 * @returns a sentence that says what is there
 * @throws Error in one sentence that says what is missing and what mends it
 */
export function prepareTensorFlow(
  args,
  { root, nodeVersion = process.versions.node, environment = process.env, onNotice = console.log },
) {
  const unknown = args.find((argument) => !OPTIONS.includes(argument));
  if (unknown)
    throw new Error(`npm run tensorflow does not know ${unknown}; its options are ${OPTIONS.join(', ')}`);
  if (args.includes('--remove')) return removed(root);
  if (Number.parseInt(nodeVersion) >= 23)
    throw new Error(
      `${CPU} ${VERSION}, the newest, calls functions that Node.js 23 removed, and this is Node.js ${nodeVersion}: ` +
        'run npm run tensorflow, and what is to compute on TensorFlow, with Node.js 20 or 22',
    );
  const name = args.includes('--gpu') ? GPU : CPU;
  installPackage(root, name, environment, onNotice);
  const found = tryAddon(root);
  if (found.title) return ready(root, found);
  if (!hasAddon(root, name)) {
    onNotice("trying the package's own download");
    if (runOwnInstaller(root, name, environment)) {
      const downloaded = tryAddon(root);
      if (downloaded.title) return ready(root, downloaded);
      onNotice(`what it downloaded does not work here: ${downloaded.problem}`);
    }
  }
  compileAddon(root, name, { environment, onNotice });
  const compiled = tryAddon(root);
  if (compiled.title) return ready(root, compiled);
  throw new Error(compiled.problem);
}

/** The package beside the project's TensorFlow.js: without a copy of its own. */
function installPackage(root, name, environment, onNotice) {
  const folder = join(root, FOLDER);
  const description = JSON.stringify(
    { private: true, dependencies: { [name]: VERSION, ...HEADERS } },
    null,
    2,
  );
  const noted = join(folder, 'package.json');
  const done = join(folder, 'node_modules', '.done');
  if (existsSync(done) && readFileSync(noted, 'utf8') === description) return;
  onNotice(`installing ${name} ${VERSION} into ${FOLDER}`);
  rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(noted, description);
  const install = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
  const quiet = ['--no-package-lock', '--loglevel=error'];
  const npm = environment.npm_execpath;
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
  const { status } = spawnSync(command, [...first, ...install, ...quiet], {
    cwd: folder,
    env: environment,
    stdio: 'inherit',
    shell: process.platform === 'win32' && !npm,
  });
  if (status !== 0)
    throw new Error(
      `npm could not install ${name} ${VERSION} (it says why above): run npm run tensorflow again`,
    );
  for (const part of SHARED)
    rmSync(join(folder, 'node_modules', '@tensorflow', `tfjs${part}`), { recursive: true, force: true });
  writeFileSync(done, '');
}

/** Downloads the library and the addon that its makers built, as npm does where install scripts are allowed; false where it cannot. */
function runOwnInstaller(root, name, environment) {
  const folder = packageFolder(root, name);
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const [, ...script] = scripts.install.split(' ');
  const bin = join(root, FOLDER, 'node_modules', '.bin');
  const { status } = spawnSync(process.execPath, script, {
    cwd: folder,
    env: { ...environment, PATH: `${bin}${delimiter}${environment.PATH}` },
    stdio: 'ignore',
  });
  return status === 0;
}

/**
 * Compiles the package's source against TensorFlow's library from PyPI.
 *
 * @type {typeof import('./prepare.d.mts').compileAddon}
 * @throws Error in one sentence where this is no Linux on x64, or without a compiler, or as `fetchLibraries` does
 */
export function compileAddon(
  root,
  name,
  { platform = process.platform, arch = process.arch, environment = process.env, freeBytes, onNotice } = {},
) {
  if (platform !== 'linux' || arch !== 'x64')
    throw new Error(
      `the download of ${name} cannot be reached or does not work here, and on ${platform} and ${arch} there is no other way: ` +
        'allow downloads from the address that npm run tensorflow tried, or use --device cpu',
    );
  const compiler = environment.CXX || 'c++';
  if (spawnSync(compiler, ['--version'], { env: environment }).status !== 0)
    throw new Error(
      `the native part of ${name} has to be compiled, and there is no C++ compiler (${compiler}): install one (on Debian and Ubuntu: ` +
        'apt install g++) and run npm run tensorflow again',
    );
  const libraries = { ...WHEELS[name], folder: `${FOLDER}/libraries`, isKept };
  if (!hasLibraries(root, libraries)) fetchLibraries(root, libraries, { environment, freeBytes, onNotice });
  onNotice?.('compiling the addon');
  const folder = packageFolder(root, name);
  const library = join(root, libraries.folder, 'tensorflow');
  const addon = addonOf(root, name);
  mkdirSync(dirname(addon), { recursive: true });
  const { status } = spawnSync(
    compiler,
    [
      ...['-shared', '-fPIC', '-O2', '-std=c++17', `-DNAPI_VERSION=${NAPI}`, '-o', `${addon}.part`],
      `-I${join(root, FOLDER, 'node_modules', 'node-api-headers', 'include')}`,
      `-I${join(library, 'include')}`,
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((source) => join(folder, 'binding', source)),
      ...[`-L${library}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
      // From the addon's folder up to .cache/tensorflow.
      '-Wl,-rpath,$ORIGIN/../../../../../libraries/tensorflow',
    ],
    { stdio: 'inherit', env: environment },
  );
  if (status !== 0)
    throw new Error(`the native part of ${name} could not be compiled: ${compiler} says why above`);
  renameSync(`${addon}.part`, addon);
}

/** Loads the addon in a process of its own, as the device does. */
function tryAddon(root) {
  const [module, folder] = ['dist/lib/engine/devices/tensorflow/addon.js', FOLDER].map((path) =>
    join(root, path),
  );
  const script = `
    const { loadAddon } = await import(${JSON.stringify(pathToFileURL(module).href)});
    try {
      console.log(JSON.stringify(loadAddon([${JSON.stringify(folder)}])));
    } catch (error) {
      console.log(JSON.stringify({ problem: error.message }));
    }`;
  const { stdout, stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  if (stdout) return JSON.parse(stdout);
  return { problem: `the addon ends its process (${signal ?? stderr.trim().split('\n').at(-1)})` };
}

const ready = (root, { title, library, onGpu }) =>
  `${title} computes with TensorFlow ${library} on the ${onGpu ? 'GPU' : 'CPU'} (${FOLDER}, ` +
  `${gigabytes(bytesBelow(join(root, FOLDER)))}): --device tensorflow can be used.`;

function removed(root) {
  const folder = join(root, FOLDER);
  const bytes = bytesBelow(folder);
  rmSync(folder, { recursive: true, force: true });
  return bytes > 0 ? `Removed ${FOLDER} (${gigabytes(bytes)}).` : `There was no ${FOLDER} to remove.`;
}

const packageFolder = (root, name) => join(root, FOLDER, 'node_modules', name);
const addonOf = (root, name) => join(packageFolder(root, name), 'lib', `napi-v${NAPI}`, 'tfjs_binding.node');
const hasAddon = (root, name) => existsSync(addonOf(root, name));
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
