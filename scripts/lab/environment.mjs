// The notebooks' Python environment: .venv with JupyterLab and the TypeScript kernel. All of it is inside the project's folder.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildWhereStale, installWhereMissing, root } from '../setup.mjs';
import { findPython } from './python.mjs';

const venv = join(root, '.venv');
const bin = join(venv, process.platform === 'win32' ? 'Scripts' : 'bin');
const python = join(bin, process.platform === 'win32' ? 'python.exe' : 'python');
const REQUIREMENTS = 'requirements.txt';
/** What the notebooks can do without. */
const OPTIONAL = 'requirements-pesq.txt';
const installed = join(venv, REQUIREMENTS);
const configuration = join(venv, 'jupyter');

/**
 * Makes what notebooks need and is not there yet: npm packages, the compiled library, and .venv with JupyterLab and the kernel. Where that
 * fails it says why and ends the process.
 */
export async function prepareLab() {
  try {
    await installWhereMissing();
    await buildWhereStale();
    installJupyter();
    registerKernel();
    writeSettings();
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
}

/** A minute or two, where the requirements have changed since the last time. */
function installJupyter() {
  const wanted = [REQUIREMENTS, OPTIONAL].map((file) => readFileSync(join(root, file), 'utf8')).join('');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return;
  const systemPython = findPython();
  console.log('installing JupyterLab into .venv');
  if (!existsSync(python)) runOrThrow(systemPython, ['-m', 'venv', venv]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r'];
  runOrThrow(python, [...pip, REQUIREMENTS]);
  const { status } = spawnSync(python, [...pip, OPTIONAL], { cwd: root, stdio: 'ignore' });
  if (status !== 0) {
    console.log(
      'The notebooks go without PESQ: its package could not be installed, which may take a C compiler. To see why:\n' +
        `  ${relative(root, python)} -m pip install -r ${OPTIONAL}`,
    );
  }
  writeFileSync(installed, wanted);
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
  const start = join(root, 'dist', 'lib', 'notebook', 'kernel', 'start.js');
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
  // JupyterLab waits for names to complete for 1 s, and the compiler's first answer in a session takes longer on a busy machine.
  const settings = join(venv, 'share', 'jupyter', 'lab', 'settings');
  mkdirSync(settings, { recursive: true });
  const overrides = { '@jupyterlab/completer-extension:manager': { providerTimeout: 10_000 } };
  writeFileSync(join(settings, 'overrides.json'), JSON.stringify(overrides, null, 2) + '\n');
}

function runOrThrow(executable, args) {
  const { error, status } = spawnSync(executable, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error(`${executable} cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`${executable} ${args.slice(0, 3).join(' ')} ended with code ${status}`);
}
