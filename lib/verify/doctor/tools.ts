/** What is beside Node.js and this package: Python with pesq, JupyterLab, Chromium, the packages of a queue. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findPackageRoot, isClone } from '../../package-root.js';
import { PESQ_PACKAGES } from '../../scoring/pesq.js';
import { findPython, installCommand, runPython } from '../../scoring/python.js';
import type { Finding } from './finding.js';

export async function* examineTools(): AsyncGenerator<Finding> {
  const python = await examinePython();
  yield python;
  if (python.state === 'ok') yield await examinePesq();
  // A package comes without the notebooks.
  if (isClone()) {
    yield await examineJupyter();
    yield examineChromium();
  }
  yield await examineQueue();
}

async function examinePython(): Promise<Finding> {
  const finding = { group: 'tools', name: 'Python' } as const;
  const program = findPython();
  try {
    const version = await runPython(program, ['-c', 'import platform; print(platform.python_version())']);
    return { ...finding, state: 'ok', found: `${version.trim()} (${program})` };
  } catch (error) {
    return {
      ...finding,
      found: (error as Error).message,
      ...repair('SPEECH_DPO_PYTHON', 'python'),
      matters: 'Notebooks, PESQ and the download of DNSMOS need it, 3.10 or newer.',
    };
  }
}

async function examinePesq(): Promise<Finding> {
  const finding = { group: 'tools', name: 'pesq' } as const;
  try {
    const probe = "import pesq, numpy; from importlib.metadata import version; print(version('pesq'))";
    const version = await runPython(findPython(), ['-c', probe]);
    return { ...finding, state: 'ok', found: `the Python package ${version.trim()}` };
  } catch {
    return {
      ...finding,
      state: 'missing',
      found: `${findPython()} has no package pesq`,
      matters: 'The metric pesq calls it.',
      mend: installCommand(PESQ_PACKAGES),
    };
  }
}

async function examineJupyter(): Promise<Finding> {
  const finding = { group: 'tools', name: 'JupyterLab' } as const;
  const inside = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
  const python = join(findPackageRoot(), '.venv', ...inside);
  const missing = { state: 'missing', matters: 'The notebooks open in it.', mend: 'npm run lab' } as const;
  if (!existsSync(python)) return { ...finding, ...missing, found: 'it is not installed in .venv' };
  try {
    const probe = "from importlib.metadata import version; print(version('jupyterlab'))";
    const version = (await runPython(python, ['-c', probe])).trim();
    const kernel = join(findPackageRoot(), '.venv', 'share', 'jupyter', 'kernels', 'tslab', 'kernel.json');
    if (!existsSync(kernel))
      return { ...finding, ...missing, found: `${version} in .venv, without the kernel` };
    return { ...finding, state: 'ok', found: `${version} in .venv, with the TypeScript kernel` };
  } catch {
    return { ...finding, ...missing, found: 'it is not installed in .venv' };
  }
}

/** Where the test that runs the notebooks in a browser looks for it. */
function examineChromium(): Finding {
  const finding = { group: 'tools', name: 'Chromium' } as const;
  const path = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (existsSync(path)) return { ...finding, state: 'ok', found: path };
  return {
    ...finding,
    found: `it is not at ${path}`,
    ...repair('CHROMIUM', 'chromium'),
    matters: 'Only the test that runs the notebooks in a browser needs it; CHROMIUM names another path.',
  };
}

/** Whether this machine can have workers, or be one; a server is asked by those who name it. */
export async function examineQueue(): Promise<Finding> {
  const finding = { group: 'tools', name: 'queue' } as const;
  const has = (load: Promise<unknown>) =>
    load.then(
      () => true,
      () => false,
    );
  const [queue, redis, postgres] = await Promise.all([
    has(import('bullmq')),
    has(import('ioredis')),
    has(import('pg')),
  ]);
  const servers = [...(redis ? ['Redis (ioredis)'] : []), ...(postgres ? ['PostgreSQL (pg)'] : [])];
  if (queue && servers.length > 0)
    return { ...finding, state: 'ok', found: `BullMQ for ${servers.join(' and ')}` };
  return {
    ...finding,
    state: 'missing',
    found: 'the packages bullmq and ioredis, or pg, are not installed',
    matters: 'Workers on other machines need them: --workers and speech-dpo worker.',
    mend: 'npm install bullmq@6 ioredis@5',
  };
}

/** What a variable names wrongly is nothing that an installation would mend. */
function repair(variable: string, program: 'python' | 'chromium'): Pick<Finding, 'state' | 'mend'> {
  if (process.env[variable]) return { state: 'broken', mend: `unset ${variable}` };
  return { state: 'missing', ...installs(program) };
}

/** What this system installs programs with; nothing where that is not known. */
function installs(program: 'python' | 'chromium'): { mend?: string } {
  const [debian, mac, windows] = {
    python: ['python3 python3-venv', 'python', 'Python.Python.3.12'],
    chromium: ['chromium', '--cask chromium', 'Hibbiki.Chromium'],
  }[program];
  if (process.platform === 'darwin') return { mend: `brew install ${mac}` };
  if (process.platform === 'win32') return { mend: `winget install ${windows}` };
  return existsSync('/usr/bin/apt-get') ? { mend: `sudo apt-get install ${debian}` } : {};
}
