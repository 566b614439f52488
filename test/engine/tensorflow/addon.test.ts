/** What keeps TensorFlow's native packages from being loaded is said in a sentence; the packages here only pretend. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { loadAddon } from '../../../lib/engine/devices/tensorflow/addon.js';
import { tf } from '../../../lib/engine/index.js';
import { findPackageRoot, isClone } from '../../../lib/package-root.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

vi.mock(import('../../../lib/package-root.js'), async (original) => ({
  ...(await original()),
  isClone: vi.fn(() => true),
}));

const NODE = '22.12.0';
let folder: string;

beforeEach(async () => {
  folder = temporaryFolder();
  await tf.setBackend('cpu');
  vi.mocked(isClone).mockReturnValue(true);
});
afterEach(() => {
  if (tf.findBackendFactory('tensorflow')) tf.removeBackend('tensorflow');
});

/** A package that registers the backend "tensorflow" and makes it current, as the real ones do. */
const registering = (onGpu: boolean) => `
  const tf = require('@tensorflow/tfjs');
  const backend = new tf.KernelBackend();
  Object.assign(backend, { isUsingGpuDevice: ${onGpu}, binding: { TF_Version: '2.21.0' }, dispose() {} });
  tf.registerBackend('tensorflow', () => backend, 3);
  tf.setBackend('tensorflow');`;

function install(name: string, source: string, { sharing = true } = {}): void {
  const scope = join(folder, 'node_modules', '@tensorflow');
  mkdirSync(join(scope, name), { recursive: true });
  const description = { name: `@tensorflow/${name}`, version: '4.22.0', main: 'index.js' };
  writeFileSync(join(scope, name, 'package.json'), JSON.stringify(description));
  writeFileSync(join(scope, name, 'index.js'), source);
  if (sharing)
    symlinkSync(
      join(findPackageRoot(), 'node_modules', '@tensorflow', 'tfjs'),
      join(scope, 'tfjs'),
      'junction',
    );
}

/** The one sentence of a plain Error. */
function refusal(nodeVersion = NODE): string {
  try {
    loadAddon([folder], nodeVersion);
  } catch (error) {
    expect((error as Error).constructor).toBe(Error);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('it was loaded');
}

it('names the versions of Node.js that the packages cannot serve', () => {
  expect(refusal('24.1.0')).toBe(
    'the device tensorflow needs Node.js 20 or 22, and this is 24.1.0: @tensorflow/tfjs-node 4.22.0, the newest, calls functions that ' +
      'Node.js 23 removed',
  );
  expect(refusal('23.0.0')).toContain('this is 23.0.0');
});

it('says which package is missing, and the command that brings it', () => {
  expect(refusal()).toMatch(
    /neither is installed: `npm run tensorflow` .* `npm install @tensorflow\/tfjs-node@4\.22\.0`/,
  );
});

it('says why a package cannot be loaded, and the command that mends it', () => {
  install('tfjs-node', 'throw new Error("libtensorflow.so.2: cannot open\\nand more")');
  expect(refusal()).toBe(
    '@tensorflow/tfjs-node 4.22.0 cannot be loaded (libtensorflow.so.2: cannot open): `npm run tensorflow` makes it anew',
  );
  expect(tf.getBackend()).toBe('cpu');
});

it('names commands of npm alone where speech-dpo is itself a package', () => {
  vi.mocked(isClone).mockReturnValue(false);
  install('tfjs-node', 'throw new Error("no binding")');
  expect(refusal()).toBe(
    '@tensorflow/tfjs-node 4.22.0 cannot be loaded (no binding): `npm rebuild @tensorflow/tfjs-node` makes it anew',
  );
  install('tfjs-node-gpu', registering(false), { sharing: false });
  expect(refusal()).toContain(
    ': `npm uninstall @tensorflow/tfjs-node-gpu && npm install @tensorflow/tfjs-node@4.22.0` installs @tensorflow/tfjs-node in its place',
  );
});

it('refuses a package that works with another copy of TensorFlow.js', () => {
  install('tfjs-node', '', { sharing: false });
  expect(refusal()).toMatch(
    /brings a copy of TensorFlow\.js of its own.*`npm install @tensorflow\/tfjs-node@4\.22\.0`/,
  );
});

it('loads the package for the CPU, and leaves the current backend as it is', () => {
  install('tfjs-node', registering(false));
  expect(loadAddon([temporaryFolder(), folder], NODE)).toEqual({
    title: '@tensorflow/tfjs-node 4.22.0',
    library: '2.21.0',
    onGpu: false,
  });
  expect(tf.getBackend()).toBe('cpu');
});

it('takes the package for GPUs first', () => {
  install('tfjs-node', 'throw new Error("the other one")');
  install('tfjs-node-gpu', registering(true), { sharing: false });
  expect(loadAddon([folder], NODE)).toMatchObject({ title: '@tensorflow/tfjs-node-gpu 4.22.0', onGpu: true });
});

it('does not compute on the CPU with the package for GPUs', () => {
  install('tfjs-node-gpu', registering(false));
  expect(refusal()).toBe(
    '@tensorflow/tfjs-node-gpu 4.22.0 finds no GPU that it can use: `npm run tensorflow` installs @tensorflow/tfjs-node in its place, ' +
      'which computes on the CPU',
  );
});
