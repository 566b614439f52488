import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../shared/', import.meta.url));

/**
 * The path of reference material that lies beside the repository, or undefined when it is not there: then say so and skip.
 * With SPEECH_DPO_REQUIRE_SHARED=1 its absence is an error.
 */
export function sharedPath(relative: string): string | undefined {
  const path = `${ROOT}${relative}`;
  if (existsSync(path)) return path;
  if (process.env.SPEECH_DPO_REQUIRE_SHARED === '1')
    throw new Error(`SPEECH_DPO_REQUIRE_SHARED is set, but ${path} does not exist`);
  console.warn(`Skipped: ../shared/${relative} is not here, and these tests compare with it.`);
  return undefined;
}
