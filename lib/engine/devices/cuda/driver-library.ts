/** Whether NVIDIA's driver is installed, told without loading anything: most machines have none, and are not to wait for it. */
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

export function hasDriverLibrary(): boolean {
  const folders = [...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter), ...USUAL_FOLDERS];
  return (
    folders.some((folder) => folder !== '' && existsSync(join(folder, DRIVER_LIBRARY))) ||
    (existsSync(LOADER_CACHE) && readFileSync(LOADER_CACHE).includes(`${DRIVER_LIBRARY}\0`))
  );
}
