/** `npm run gpu` with a Python that only pretends to install; no driver is looked for beyond the folders that a test names. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findPackageRoot } from '../../lib/package-root.js';
import { prepareGpu } from '../../scripts/gpu/prepare.mjs';
import { temporaryFolder } from '../support/temporary-folder.js';

const ROOT = findPackageRoot();
const PACKAGES = [
  'onnxruntime-gpu',
  'nvidia-cuda-runtime',
  'nvidia-cublas',
  'nvidia-cuda-nvrtc',
  'nvidia-curand',
  'nvidia-cufft',
  'nvidia-cudnn-cu13',
];

let root: string;
let tools: string;
let log: string;

beforeEach(() => {
  root = temporaryFolder();
  copyFileSync(join(ROOT, 'requirements-gpu.txt'), join(root, 'requirements-gpu.txt'));
  // Programs of the machine that the script asks: they tell of no library and of no GPU, unless a test says so.
  tools = temporaryFolder();
  tool('ldconfig', '');
  log = join(tools, 'pip.log');
  writeFileSync(log, '');
});

function tool(name: string, output: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\necho "${output}"\n`);
  chmodSync(join(tools, name), 0o755);
}

/** Puts a driver on the machine. */
function installDriver(version: string): void {
  writeFileSync(join(tools, 'libcuda.so.1'), '');
  tool('nvidia-smi', `${version}, NVIDIA H100 80GB HBM3`);
}

const prepare = (args: string[], { freeBytes = 1e12, platform = 'linux', variables = {} }: Machine = {}) =>
  prepareGpu(args, {
    ...{ root, platform, arch: 'x64', freeBytes, libraryFolders: [tools], onNotice: () => undefined },
    environment: {
      PATH: `${tools}:${process.env.PATH}`,
      PYTHON: join(ROOT, 'test/support/fake-python.mjs'),
      FAKE_PIP_LOG: log,
      ...variables,
    },
  });
interface Machine {
  freeBytes?: number;
  platform?: string;
  variables?: Record<string, string>;
}

const asked = () => readFileSync(log, 'utf8').trim().split('\n');
const cache = (path = '') => join(root, '.cache', path);

it('names the version of ONNX Runtime that the project has, and a hash of every wheel', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const lines = readFileSync(join(ROOT, 'requirements-gpu.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines[0]).toMatch(new RegExp(`^onnxruntime-gpu==${dependencies['onnxruntime-node']} `));
  expect(lines.map((line) => line.split('==')[0])).toEqual(PACKAGES);
  for (const line of lines) expect(line).toMatch(/^[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$/);
});

describe.skipIf(process.platform === 'win32')('on Linux', () => {
  it('fetches every package by its hash, keeps shared libraries and licences, and has nothing to do the second time', () => {
    installDriver('580.95.05');
    const sentences = prepare([]);
    expect(sentences[0]).toContain('are in .cache/gpu');
    expect(sentences[1]).toContain('The driver is 580.95.05 (NVIDIA H100 80GB HBM3)');
    expect(asked()).toEqual(PACKAGES);
    expect(readdirSync(cache())).toEqual(['gpu']);
    expect(readdirSync(cache('gpu/onnxruntime/capi')).sort()).toEqual([
      'libonnxruntime.so.1.30.0',
      'libonnxruntime_providers_cuda.so',
    ]);
    expect(existsSync(cache('gpu/onnxruntime/LICENSE'))).toBe(true);
    expect(readdirSync(cache('gpu/nvidia/cu13'))).toEqual(['lib']);
    expect(existsSync(cache('gpu/nvidia-cublas.dist-info/licenses/License.txt'))).toBe(true);
    expect(prepare([])).toEqual(sentences);
    expect(asked()).toEqual(PACKAGES);
  });

  it('names what tries the GPU in a clone that is built and in one that is not, and how one of several is chosen', () => {
    installDriver('580.95.05');
    const told = (variables = {}) => prepare([], { variables })[1];
    expect(told()).toMatch(/can be used, and npm ci && npm run build && npx speech-dpo doctor tries it\.$/);
    mkdirSync(join(root, 'dist'));
    writeFileSync(join(root, 'dist/.built'), '');
    expect(told()).toMatch(/can be used, and npx speech-dpo doctor tries it\.$/);
    tool('nvidia-smi', '580.95.05, NVIDIA A10\n580.95.05, NVIDIA H100');
    expect(told()).toMatch(
      /\(NVIDIA A10, NVIDIA H100\).* the first unless CUDA_VISIBLE_DEVICES names another/,
    );
    expect(told({ CUDA_VISIBLE_DEVICES: '1' })).not.toContain('the first');
  });

  it('goes on after an interrupt with the package that was under way', () => {
    installDriver('580.95.05');
    expect(() => prepare([], { variables: { FAKE_PIP_FAILS: 'nvidia-cublas' } })).toThrow(
      'nvidia-cublas==13.1.0.3 could not be fetched (pip says why above): run npm run gpu again',
    );
    expect(existsSync(cache('gpu'))).toBe(false);
    prepare([]);
    expect(asked()).toEqual([...PACKAGES.slice(0, 3), ...PACKAGES.slice(2)]);
    expect(existsSync(cache('gpu/nvidia/cu13/lib/libnvidia-cublas.so.13'))).toBe(true);
    expect(readdirSync(cache())).toEqual(['gpu']);
  });

  it('fetches anew what was damaged, and what other requirements ask for', () => {
    installDriver('580.95.05');
    prepare([]);
    rmSync(cache('gpu/onnxruntime/capi/libonnxruntime_providers_cuda.so'));
    prepare([]);
    expect(existsSync(cache('gpu/onnxruntime/capi/libonnxruntime_providers_cuda.so'))).toBe(true);
    expect(asked()).toHaveLength(2 * PACKAGES.length);
    appendFileSync(join(root, 'requirements-gpu.txt'), '# another list\n');
    prepare([]);
    expect(asked()).toHaveLength(3 * PACKAGES.length);
  });

  it('removes what it fetched, an interrupted fetch included', () => {
    installDriver('580.95.05');
    prepare([]);
    expect(() => prepare([], { variables: { FAKE_PIP_FAILS: 'nvidia-curand' } })).not.toThrow();
    expect(prepare(['--remove'])[0]).toMatch(/^Removed the CUDA libraries/);
    expect(readdirSync(cache())).toEqual([]);
    expect(() => prepare([], { variables: { FAKE_PIP_FAILS: 'nvidia-curand' } })).toThrow('nvidia-curand');
    prepare(['--remove']);
    expect(readdirSync(cache())).toEqual([]);
    expect(prepare(['--remove'])).toEqual(['There were no CUDA libraries to remove.']);
  });

  it('fetches nothing where there is no driver, unless it is told to', () => {
    expect(() => prepare([])).toThrow(/no NVIDIA driver \(libcuda\.so\.1\).*-- --without-driver/s);
    expect(existsSync(cache())).toBe(false);
    expect(prepare(['--without-driver'])[1]).toMatch(/^What is missing is the NVIDIA driver/);
    expect(asked()).toEqual(PACKAGES);
  });

  it('says of an old driver which one CUDA 13 needs, and what CUDA 12 would need', () => {
    installDriver('535.183.01');
    expect(() => prepare([])).toThrow(/driver 535\.183\.01 is too old for CUDA 13: install 580 or newer/);
    expect(() => prepare(['--cuda12'])).toThrow(/needs libcudart\.so\.12, .*libcudnn\.so\.9/);
  });

  it.each([
    ['libcudart.so.12', undefined],
    [
      'libcudart.so.13',
      /installer fetched a provider that is not for CUDA 12: install a driver 580 or newer/,
    ],
  ])('keeps what onnxruntime-node fetches as CUDA 12 only where it is that: %s', (runtime, refusal) => {
    installDriver('535.183.01');
    for (const name of [
      'cudart.so.12',
      'cublasLt.so.12',
      'cublas.so.12',
      'curand.so.10',
      'cufft.so.11',
      'cudnn.so.9',
    ])
      writeFileSync(join(tools, `lib${name}`), '');
    const folder = join(root, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
    const provider = join(folder, 'libonnxruntime_providers_cuda.so');
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(root, 'node_modules/onnxruntime-node/script'));
    writeFileSync(
      join(root, 'node_modules/onnxruntime-node/script/install.js'),
      `require('fs').writeFileSync(${JSON.stringify(provider)}, ${JSON.stringify(`\0${runtime}\0`)})`,
    );
    if (refusal) expect(() => prepare(['--cuda12'])).toThrow(refusal);
    else
      expect(prepare(['--cuda12'])[0]).toMatch(
        /^ONNX Runtime's CUDA provider for CUDA 12 is in node_modules/,
      );
    expect(existsSync(provider)).toBe(!refusal);
  });

  it('asks for room before it fetches', () => {
    installDriver('580.95.05');
    expect(() => prepare([], { freeBytes: 1e9 })).toThrow('takes 3.2 GB of disk, and 1.0 GB are free');
    expect(asked()).toEqual(['']);
  });
});

it('refuses other platforms and says what they have', () => {
  expect(() => prepare([], { platform: 'darwin' })).toThrow(
    /made for Linux on x64, and this is darwin on x64: use --device webgpu.* or --device cpu/,
  );
});

it('refuses options that it does not know', () => {
  expect(() => prepare(['--cuda11'])).toThrow('npm run gpu does not know --cuda11');
});

it('npm run gpu-check refuses options that it does not know in a sentence', () => {
  const script = join(findPackageRoot(), 'scripts', 'gpu-check.mjs');
  const { stderr, stdout, status } = spawnSync(process.execPath, [script, '--bogus'], { encoding: 'utf8' });
  expect(stderr).toMatch(
    /^error: npm run gpu-check: Unknown option '--bogus'; its options are --device, .*\n$/,
  );
  expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
});
