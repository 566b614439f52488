import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile } from '../checkpoint/json-file.js';
import { findPackageRoot } from '../package-root.js';

const packageSchema = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

/** Packages whose version can change a run's numbers. */
const COMPUTING_PACKAGES = [
  'onnxruntime-node',
  '@tensorflow/tfjs-core',
  '@huggingface/tokenizers',
  'pure-rand',
] as const;

/** Versions of speech-dpo, Node.js and the packages that compute. */
export async function readVersions(): Promise<Record<string, string>> {
  const { version, dependencies } = packageSchema.parse(
    await readJsonFile(join(findPackageRoot(), 'package.json')),
  );
  const packages = COMPUTING_PACKAGES.map((name) => [name, dependencies[name]] as const);
  return { 'speech-dpo': version, node: process.versions.node, ...Object.fromEntries(packages) };
}
