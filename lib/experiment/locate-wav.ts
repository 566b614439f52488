import { realpath } from 'node:fs/promises';
import { extname, isAbsolute, relative, resolve, sep } from 'node:path';

/**
 * The path of a WAV file that audio.json names.
 *
 * @throws Error when it is missing, no WAV file, or not inside the run's folder (links are followed first)
 */
export async function locateWav(outputDirectory: string, file: string): Promise<string> {
  const path = resolve(outputDirectory, file);
  if (isOutside(resolve(outputDirectory), path))
    throw new Error(`${file} is outside the run's folder and is left out`);
  if (extname(path).toLowerCase() !== '.wav') throw new Error(`${file} is not a .wav file and is left out`);
  const real = await realpath(path).catch(() => {
    throw new Error(`${file} is missing`);
  });
  if (isOutside(await realpath(outputDirectory), real))
    throw new Error(`${file} leads outside the run's folder and is left out`);
  return real;
}

function isOutside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || isAbsolute(way) || way.split(sep)[0] === '..';
}
