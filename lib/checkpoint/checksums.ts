/** SHA256SUMS, the manifest of a finished folder: what `sha256sum` writes, and `sha256sum --check` reads. */
import { join } from 'node:path';
import { hashFile, writeFileAtomic } from './atomic.js';
import { exists, openFile } from './files.js';

export const CHECKSUMS_FILE = 'SHA256SUMS';

const LINE = /^([0-9a-f]{64}) {2}([\w.-]+)$/;

/**
 * Writes the manifest of a folder, last of its files.
 * @param checksums SHA-256 in hexadecimal by file name
 */
export async function writeChecksums(
  directory: string,
  checksums: ReadonlyMap<string, string>,
): Promise<void> {
  const lines = [...checksums].map(([name, checksum]) => `${checksum}  ${name}\n`);
  await writeFileAtomic(join(directory, CHECKSUMS_FILE), lines.join(''));
}

/** No device, to which a link in somebody's folder may lead: it would fill the memory. */
async function readManifest(path: string): Promise<string> {
  const handle = await openFile(path);
  return handle.readFile('utf8').finally(() => handle.close());
}

/** What is wrong with a folder that has a manifest, in one sentence; undefined when every file is as it was written. */
export async function findDamage(directory: string): Promise<string | undefined> {
  const manifest = join(directory, CHECKSUMS_FILE);
  const text = await readManifest(manifest).catch(() => undefined);
  if (text === undefined) return `${manifest} ${(await exists(manifest)) ? 'cannot be read' : 'is missing'}`;
  if (text === '') return `${manifest} is empty`;
  const lines = text.split('\n');
  // What is after the last line feed is a line that was cut, and whose file nobody would check.
  if (lines.pop() !== '') return `${manifest} is damaged`;
  for (const line of lines) {
    const [, checksum, name] = LINE.exec(line) ?? [];
    if (!name) return `${manifest} is damaged`;
    const actual = await hashFile(join(directory, name)).catch(() => undefined);
    if (actual === undefined) return `${join(directory, name)} cannot be read`;
    if (actual !== checksum) return `${join(directory, name)} differs from its checksum`;
  }
  return undefined;
}

/**
 * SHA-256 in hexadecimal by file name, as a folder's manifest has them; none where there is no manifest.
 *
 * @throws Error in one sentence where there is one that cannot be read
 */
export async function readChecksums(directory: string): Promise<Map<string, string>> {
  const manifest = join(directory, CHECKSUMS_FILE);
  const text = (await exists(manifest)) ? await readManifest(manifest) : '';
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, checksum, name] = LINE.exec(line) ?? [];
      return name ? [[name, checksum]] : [];
    }),
  );
}

/**
 * Compares a folder's weights with its manifest, where it has one: other files may have been edited since, weights that differ are damaged.
 *
 * @throws Error in one sentence where they differ, or one cannot be read
 */
export async function checkSavedWeights(directory: string): Promise<void> {
  for (const [name, checksum] of await readChecksums(directory)) {
    if (name.endsWith('.safetensors') && (await hashFile(join(directory, name))) !== checksum)
      throw new Error(
        `${join(directory, name)} is not as it was saved: it differs from its checksum in ${join(directory, CHECKSUMS_FILE)}. Take another checkpoint; if a program of yours wrote these weights, remove ${CHECKSUMS_FILE}.`,
      );
  }
}
