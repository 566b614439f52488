// Finds NVIDIA's driver and libraries of a Linux machine, without loading any.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where libraries lie that ldconfig may not list: Debian and Ubuntu, Fedora, WSL, containers. */
const USUAL_FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib/wsl/lib',
  '/usr/local/nvidia/lib64',
  '/usr/local/cuda/lib64',
];

/**
 * What the machine has of the driver: the path of libcuda.so.1, its version ("580.95.05") and the GPUs' names, as far as nvidia-smi
 * tells; undefined without libcuda.so.1.
 */
export function findDriver(environment = process.env, folders = USUAL_FOLDERS) {
  const library = findLibrary('libcuda.so.1', environment, folders);
  if (!library) return undefined;
  const query = ['--query-gpu=driver_version,name', '--format=csv,noheader'];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8', env: environment });
  const rows = status === 0 ? stdout.trim().split('\n').filter(Boolean) : [];
  const gpus = rows.map((row) => row.slice(row.indexOf(',') + 1).trim());
  return { library, version: rows[0]?.split(',')[0].trim(), gpus };
}

/** The path of a shared library by its soname, as the loader would find it, or undefined. */
export function findLibrary(name, environment = process.env, folders = USUAL_FOLDERS) {
  const listed = (environment.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean);
  const inFolder = [...listed, ...folders].map((folder) => join(folder, name)).find(existsSync);
  if (inFolder) return inFolder;
  for (const ldconfig of ['ldconfig', '/sbin/ldconfig']) {
    const { status, stdout } = spawnSync(ldconfig, ['-p'], { encoding: 'utf8', env: environment });
    if (status !== 0) continue;
    const line = stdout.split('\n').find((each) => each.trim().startsWith(`${name} `) && /x86-64/.test(each));
    return line?.split('=> ')[1];
  }
  return undefined;
}
