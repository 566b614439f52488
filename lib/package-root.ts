import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package's package.json, whether its code runs from lib/ or from dist/lib/. */
export function findPackageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return directory;
}

/** Whether this is a clone, which has the scripts of `npm run`; a package that is installed in a project has none. */
export function isClone(): boolean {
  return existsSync(join(findPackageRoot(), 'scripts'));
}

/** This package's version, as its package.json has it. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(findPackageRoot(), 'package.json'), 'utf8')) as { version: string })
    .version;
}

/** The folder that a `model` parameter means, with policy/, nar/, codec/ and prompts.json in it: "default" is the embedded model. */
export function resolveModelDirectory(model: string): string {
  return model === 'default' ? join(findPackageRoot(), 'models', 'default') : model;
}

/**
 * The path of one part of a model: "default" is the embedded model's, any other is taken as it is.
 *
 * @throws Error as `refuseWholeModel`
 */
export function resolveModelPart(path: string, part: 'policy' | 'codec' | 'prompts.json'): string {
  if (path === 'default') return join(resolveModelDirectory(path), part);
  refuseWholeModel(path, part);
  return path;
}

/** @throws Error where the folder of a whole model is given for the one of a network that is a part of it */
export function refuseWholeModel(path: string, part: string): void {
  const isIn = (folder: string) => existsSync(join(folder, 'config.json'));
  if (!isIn(path) && isIn(join(path, part)))
    throw new Error(`${path} is the folder of a whole model: give its part ${join(path, part)}`);
}
