/** TensorFlow.js's native packages: where they are, and what keeps them from being loaded. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { findPackageRoot, isClone } from '../../../package-root.js';
import { tf } from '../../tf.js';

/** What @tensorflow/tfjs-node says of itself once it is loaded. */
export interface Addon {
  /** "@tensorflow/tfjs-node 4.22.0" */
  readonly title: string;
  /** The version of TensorFlow's library: "2.21.0". */
  readonly library: string;
  readonly onGpu: boolean;
}

/** The version that goes with this package's @tensorflow/tfjs. */
const VERSION = tf.version_core;
const [GPU, CPU] = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];
const BACKEND = 'tensorflow';
/** From this version on Node.js lacks functions that the packages call (util.isArray, util.isNullOrUndefined). */
const FIRST_NODE_WITHOUT = 23;
const MENDS = 'npm run tensorflow';
/** A project that has speech-dpo as a package has no such script, and its packages' install scripts fetch TensorFlow. */
const anew = (name: string) => (isClone() ? MENDS : `npm rebuild ${name}`);
const inPlaceOfGpu = () => (isClone() ? MENDS : `npm uninstall ${GPU} && npm install ${CPU}@${VERSION}`);

/** Where `npm run tensorflow` puts them. */
const ownFolder = () => join(findPackageRoot(), '.cache', 'tensorflow');

/**
 * Loads @tensorflow/tfjs-node-gpu, or else @tensorflow/tfjs-node, from the project or from where `npm run tensorflow` puts it, and
 * registers its backend "tensorflow". The backend that is current stays current.
 *
 * @param folders whose node_modules, and those of the folders around them, are searched in this order
 * @throws Error in one sentence: what is missing, and the command that mends it
 */
export function loadAddon(
  folders: readonly string[] = [findPackageRoot(), ownFolder()],
  nodeVersion = process.versions.node,
): Addon {
  if (Number.parseInt(nodeVersion) >= FIRST_NODE_WITHOUT)
    throw new Error(
      `the device tensorflow needs Node.js 20 or 22, and this is ${nodeVersion}: ${CPU} ${VERSION}, the newest, calls functions that ` +
        `Node.js ${FIRST_NODE_WITHOUT} removed`,
    );
  const found = findAddon(folders);
  if (!found)
    throw new Error(
      `the device tensorflow needs ${CPU} ${VERSION} or ${GPU} ${VERSION}, and neither is installed: \`${MENDS}\` installs it in a ` +
        `clone of speech-dpo, \`npm install ${CPU}@${VERSION}\` in a project of yours`,
    );
  const { name, version } = found.load('package.json') as { name: string; version: string };
  const title = `${name} ${version}`;
  // TensorFlow otherwise writes about the processor to stderr.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  const before = currentBackend();
  try {
    found.load('');
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new Error(`${title} cannot be loaded (${reason.trim()}): \`${anew(name)}\` makes it anew`, {
      cause: error,
    });
  } finally {
    void tf.setBackend(before);
  }
  if (!tf.findBackendFactory(BACKEND))
    throw new Error(
      `${title} in ${found.folder} brings a copy of TensorFlow.js of its own, where this program has ${VERSION}: ` +
        `\`npm install ${name}@${VERSION}\` makes them share one`,
    );
  const backend = tf.findBackend(BACKEND) as unknown as NodeBackend;
  if (name === GPU && !backend.isUsingGpuDevice)
    throw new Error(
      `${title} finds no GPU that it can use: \`${inPlaceOfGpu()}\` installs ${CPU} in its place, which computes on the CPU`,
    );
  return { title, library: backend.binding.TF_Version, onGpu: backend.isUsingGpuDevice };
}

/** What is read of the backend that the packages register. */
interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

function findAddon(
  folders: readonly string[],
): { folder: string; load: (path: string) => unknown } | undefined {
  for (const name of [GPU, CPU]) {
    for (const folder of folders) {
      const require = createRequire(join(folder, 'package.json'));
      try {
        require.resolve(`${name}/package.json`);
      } catch {
        continue;
      }
      return { folder, load: (path) => require(path ? `${name}/${path}` : name) as unknown };
    }
  }
  return undefined;
}

/** Until something is computed TensorFlow.js has none; it would choose the newcomer then. */
function currentBackend(): string {
  if (!tf.getBackend()) tf.backend();
  return tf.getBackend();
}
