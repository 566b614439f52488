// The notebooks' Python environment: .venv with JupyterLab and the TypeScript kernel. All of it is inside the project's folder.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../setup.mjs';
import { findPython } from './python.mjs';

const venv = join(root, '.venv');
const bin = join(venv, process.platform === 'win32' ? 'Scripts' : 'bin');
const requirements = join(root, 'requirements.txt');
const installed = join(venv, 'requirements.txt');
const configuration = join(venv, 'jupyter');

/** Makes or completes .venv where requirements.txt asks for it (a minute or two), and registers the kernel in it. */
export function prepareEnvironment() {
  const wanted = readFileSync(requirements, 'utf8');
  const isCurrent = existsSync(installed) && readFileSync(installed, 'utf8') === wanted;
  if (!isCurrent) {
    const python = findPython();
    console.log('installing JupyterLab into .venv');
    if (!existsSync(join(bin, pythonName()))) runOrThrow(python, ['-m', 'venv', venv]);
    runOrThrow(join(bin, pythonName()), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      requirements,
    ]);
    writeFileSync(installed, wanted);
  }
  registerKernel();
  writeSettings();
}

/** A command of .venv. */
export function command(name) {
  return join(bin, name);
}

/** The environment for Jupyter's commands: nothing is read from or written to the user's home. */
export function jupyterEnvironment(extra = {}) {
  return {
    ...process.env,
    PATH: `${bin}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}`,
    JUPYTER_CONFIG_DIR: join(configuration, 'config'),
    JUPYTER_DATA_DIR: join(configuration, 'data'),
    JUPYTER_RUNTIME_DIR: join(configuration, 'runtime'),
    JUPYTERLAB_SETTINGS_DIR: join(configuration, 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: join(configuration, 'workspaces'),
    IPYTHONDIR: join(configuration, 'ipython'),
    JUPYTER_PLATFORM_DIRS: '1',
    ...extra,
  };
}

function registerKernel() {
  const folder = join(venv, 'share', 'jupyter', 'kernels', 'tslab');
  mkdirSync(folder, { recursive: true });
  const start = join(root, 'dist', 'scripts', 'kernel', 'start.js');
  const kernel = {
    argv: [process.execPath, '--enable-source-maps', start, '{connection_file}'],
    display_name: 'TypeScript',
    language: 'typescript',
    interrupt_mode: 'signal',
  };
  writeFileSync(join(folder, 'kernel.json'), JSON.stringify(kernel, null, 2) + '\n');
  // Python comes with a kernel of its own, which would only be a way to open these notebooks wrongly.
  rmSync(join(venv, 'share', 'jupyter', 'kernels', 'python3'), { recursive: true, force: true });
}

function writeSettings() {
  mkdirSync(configuration, { recursive: true });
  // The project's "type": "module" must not reach JavaScript that JupyterLab brings along.
  writeFileSync(join(venv, 'package.json'), '{}\n');
  const folder = join(venv, 'etc', 'jupyter', 'labconfig');
  mkdirSync(folder, { recursive: true });
  const page = { disabledExtensions: { '@jupyterlab/apputils-extension:announcements': true } };
  writeFileSync(join(folder, 'page_config.json'), JSON.stringify(page, null, 2) + '\n');
}

function pythonName() {
  return process.platform === 'win32' ? 'python.exe' : 'python';
}

function runOrThrow(executable, args) {
  const { error, status } = spawnSync(executable, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error(`${executable} cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`${executable} ${args.slice(0, 3).join(' ')} ended with code ${status}`);
}
