import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFolder, type FolderManifest } from '../../../lib/farm/files/manifest.js';
import { serveFiles, type FileServer } from '../../../lib/farm/files/server.js';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../../support/temporary-folder.js';

export const WEIGHTS_BYTES = 300_000;

/** A folder with the files of a model, which hold nothing that a model could be opened from; its tokenizer is that of every such folder. */
export function modelFolder(files: Record<string, string | Uint8Array> = {}): string {
  const folder = temporaryFolder();
  const all = {
    'config.json': '{}',
    'tokenizer.json': 't'.repeat(1000),
    'model.safetensors': randomBytes(WEIGHTS_BYTES),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) writeFileSync(join(folder, name), content);
  return folder;
}

/** As a worker on another machine hears of a folder: it sees none under that path. */
export async function describeElsewhere(
  folder: string,
): Promise<{ here: FolderManifest; elsewhere: FolderManifest }> {
  const here = await describeFolder(folder);
  return {
    here,
    elsewhere: { ...here, path: join('/nowhere', createHash('sha1').update(folder).digest('hex')) },
  };
}

/** A server that ends with the test, and the folders that it offers as workers hear of them. */
export async function serveFolders(
  ...folders: string[]
): Promise<{ server: FileServer; manifests: FolderManifest[] }> {
  const server = await serveFiles();
  onTestFinished(() => server.close());
  const manifests: FolderManifest[] = [];
  for (const folder of folders) {
    const { here, elsewhere } = await describeElsewhere(folder);
    server.offer(here);
    manifests.push(elsewhere);
  }
  return { server, manifests };
}
