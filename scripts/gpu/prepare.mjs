// What `npm run gpu` does, as sentences for the terminal.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findDriver, findLibrary } from './driver.mjs';
import { bytesBelow, fetchLibraries, hasLibraries, removeLibraries } from '../wheels.mjs';

/** ONNX Runtime's CUDA provider and what it opens. */
const LIBRARIES = {
  folder: '.cache/gpu',
  requirements: 'requirements-gpu.txt',
  neededBytes: 3.2e9,
  title: 'the CUDA libraries',
  command: 'npm run gpu',
  /** Shared libraries, and the licences that go with them. Headers, Python modules, TensorRT and what nothing loads are left out. */
  isKept(path) {
    if (/^(onnxruntime|[^/]+\.dist-info\/licenses)\/(license|thirdpartynotices)[^/]*$/i.test(path))
      return true;
    if (/tensorrt|libnvblas|libcufftw|\.alt\.so/.test(path)) return false;
    return /^(onnxruntime\/capi|nvidia\/.+\/lib)\/lib[^/]+\.so(\.[\d.]+)?$/.test(path);
  },
};
const OPTIONS = ['--without-driver', '--cuda12', '--remove'];
/** The first driver of CUDA 13. */
const CUDA13_DRIVER = 580;
/** What onnxruntime-node's CUDA 12 build loads from the system. */
const CUDA12_LIBRARIES = [
  'libcudart.so.12',
  'libcublasLt.so.12',
  'libcublas.so.12',
  'libcurand.so.10',
  'libcufft.so.11',
  'libcudnn.so.9',
];
/** Where onnxruntime-node's own installer puts the provider: beside its libonnxruntime. */
const CUDA12_FOLDER = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64';
const CUDA12_FILES = ['cuda', 'shared', 'tensorrt'].map((name) => `libonnxruntime_providers_${name}.so`);

/**
 * @param args those of `npm run gpu`
 * @param machine where the project is, and what a test puts in the place of this machine
 * @returns sentences that say what is there
 * @throws Error in one sentence that says what is missing and what mends it
 */
export function prepareGpu(
  args,
  { root, platform, arch, environment = process.env, libraryFolders, freeBytes, onNotice },
) {
  const unknown = args.find((argument) => !OPTIONS.includes(argument));
  if (unknown) throw new Error(`npm run gpu does not know ${unknown}; its options are ${OPTIONS.join(', ')}`);
  const [withoutDriver, cuda12, remove] = OPTIONS.map((option) => args.includes(option));
  if (remove) return [removed(root)];
  checkPlatform(platform ?? process.platform, arch ?? process.arch);
  const driver = findDriver(environment, libraryFolders);
  if (!driver && !withoutDriver)
    throw new Error(
      'this machine has no NVIDIA driver (libcuda.so.1), without which nothing computes on a GPU: install the driver of your ' +
        `distribution, ${CUDA13_DRIVER} or newer, and run npm run gpu again (npm run gpu -- --without-driver fetches the libraries ` +
        'nevertheless, as for a container image whose host brings the driver)',
    );
  const number = parseInt(driver?.version ?? '');
  if (number < CUDA13_DRIVER && !cuda12)
    throw new Error(
      `the NVIDIA driver ${driver.version} is too old for CUDA 13: install ${CUDA13_DRIVER} or newer and run npm run gpu again, or, ` +
        'where CUDA 12 and cuDNN 9 are installed, run npm run gpu -- --cuda12',
    );
  const place = cuda12
    ? prepareCuda12(root, { environment, libraryFolders })
    : prepareCuda13(root, { environment, freeBytes, onNotice });
  const { CUDA_VISIBLE_DEVICES: visible } = environment;
  return [place, driverSentence(driver, doctorCommand(root), visible)];
}

function prepareCuda13(root, options) {
  if (!hasLibraries(root, LIBRARIES)) fetchLibraries(root, LIBRARIES, options);
  return `ONNX Runtime's CUDA provider and the libraries of CUDA 13 are in .cache/gpu (${gigabytes(bytesBelow(join(root, LIBRARIES.folder)))}).`;
}

function prepareCuda12(root, { environment, libraryFolders }) {
  const missing = CUDA12_LIBRARIES.filter((name) => !findLibrary(name, environment, libraryFolders));
  if (missing.length > 0)
    throw new Error(
      `ONNX Runtime's CUDA 12 build needs ${missing.join(', ')}, which this machine lacks: install CUDA 12 and cuDNN 9, or, with a ` +
        `driver ${CUDA13_DRIVER} or newer, run npm run gpu, which brings CUDA 13`,
    );
  const [provider, , tensorrt] = CUDA12_FILES.map((name) => join(root, CUDA12_FOLDER, name));
  if (!existsSync(provider)) {
    if (!existsSync(join(root, CUDA12_FOLDER)))
      throw new Error('onnxruntime-node is not installed yet: run npm ci first');
    const installer = 'node_modules/onnxruntime-node/script/install.js';
    const args = [installer, '--onnxruntime-node-install=cuda12'];
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env: environment });
    rmSync(tensorrt, { force: true });
    if (status !== 0 || !existsSync(provider))
      throw new Error(
        `onnxruntime-node's installer could not fetch the CUDA 12 provider: node ${args.join(' ')} says why`,
      );
  }
  // The installer calls CUDA 12's what its makers publish last.
  if (!readFileSync(provider).includes('libcudart.so.12\0')) {
    for (const name of CUDA12_FILES) rmSync(join(root, CUDA12_FOLDER, name), { force: true });
    throw new Error(
      `onnxruntime-node's installer fetched a provider that is not for CUDA 12: install a driver ${CUDA13_DRIVER} or newer and run npm run gpu`,
    );
  }
  return `ONNX Runtime's CUDA provider for CUDA 12 is in ${CUDA12_FOLDER}.`;
}

function removed(root) {
  const beside = CUDA12_FILES.map((name) => join(root, CUDA12_FOLDER, name)).filter(existsSync);
  const bytes = beside.reduce((sum, path) => sum + statSync(path).size, removeLibraries(root, LIBRARIES));
  for (const path of beside) rmSync(path);
  return bytes > 0
    ? `Removed the CUDA libraries (${gigabytes(bytes)}).`
    : 'There were no CUDA libraries to remove.';
}

function checkPlatform(platform, arch) {
  if (platform === 'linux' && arch === 'x64') return;
  throw new Error(
    `ONNX Runtime's CUDA provider for Node.js is made for Linux on x64, and this is ${platform} on ${arch}: ` +
      'use --device webgpu, which needs nothing installed, or --device cpu',
  );
}

/** Of a clone that nobody has built yet, npx would look for the program in the registry. */
const doctorCommand = (root) =>
  existsSync(join(root, 'dist', '.built'))
    ? 'npx speech-dpo doctor'
    : 'npm ci && npm run build && npx speech-dpo doctor';

function driverSentence(driver, doctor, visible) {
  if (!driver)
    return 'What is missing is the NVIDIA driver (libcuda.so.1): nothing computes on a GPU until this machine, or its host, has it.';
  if (!driver.version)
    return `The driver's library is ${driver.library}; nvidia-smi does not tell of a GPU, so ${doctor} will say whether one answers.`;
  const which =
    driver.gpus.length > 1 && visible === undefined
      ? ' One of these GPUs computes, the first unless CUDA_VISIBLE_DEVICES names another (docs/devices.md).'
      : '';
  return `The driver is ${driver.version} (${driver.gpus.join(', ')}): --device cuda can be used, and ${doctor} tries it.${which}`;
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
