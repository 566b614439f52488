/** Where NVIDIA's driver is installed, told without loading anything: most machines have none, and are not to wait for it. */
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const DRIVER_LIBRARY = 'libcuda.so.1';

/** What the system's loader knows by name. */
const LOADER_CACHE = '/etc/ld.so.cache';
/** Where the library lies although the loader's cache may not list it: WSL, containers. */
const USUAL_FOLDERS = [
  '/usr/lib/wsl/lib',
  '/usr/local/nvidia/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
];

/** The name by which the system's loader finds the library, or else its path; undefined where there is none. */
export function findDriverLibrary(): string | undefined {
  if (existsSync(LOADER_CACHE) && readFileSync(LOADER_CACHE).includes(`${DRIVER_LIBRARY}\0`))
    return DRIVER_LIBRARY;
  return [...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter), ...USUAL_FOLDERS]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, DRIVER_LIBRARY))
    .find((path) => existsSync(path));
}
