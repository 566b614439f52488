/** The driver's functions as they are called, with a library in the driver's place that a C compiler makes, where there is one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NoGpu, openDriver } from '../../../lib/engine/devices/cuda/driver.js';
import { findDriverLibrary } from '../../../lib/engine/devices/cuda/driver-library.js';
import { isOutOfMemory } from '../../../lib/engine/devices/cuda/limits.js';
import { openLibrary } from '../../../lib/engine/devices/ort/native.js';
import { uniformStream } from '../../../lib/random.js';
import { canRunHostCuda } from '../../support/host-cuda.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const SOURCE = fileURLToPath(new URL('../../support/fake-cuda.c', import.meta.url));
const { fround } = Math;

const hasCompiler = canRunHostCuda && spawnSync('cc', ['--version']).status === 0;

const failureOf = (work: () => unknown): Error => {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe.skipIf(!hasCompiler)('the driver, called', () => {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const library = join(folder, 'libfakecuda.so');
  beforeAll(() => {
    // Whole operations, as the kernels' __fmul_rn and its kin are.
    const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-ffp-contract=off', '-o', library, SOURCE, '-lm']); // prettier-ignore
    expect(status, String(stderr)).toBe(0);
  });

  it('is one GPU with memory that is written, read, copied and cleared', () => {
    const memory = openDriver(library);
    expect(memory.name).toBe('a GPU of number 7');
    expect(memory.cudaVersion).toBe('13.2');
    const before = memory.room();
    expect(before.total).toBe(2 ** 20);
    const [a, b] = [memory.allocate(4000), memory.allocate(4000)];
    expect(memory.room().free).toBe(before.free - 8000);
    expect(a % 256n).toBe(0n);
    const numbers = Float32Array.from({ length: 1000 }, (_, i) => i - 500);
    memory.write(a, numbers);
    memory.copy(b, a, 4000);
    memory.clear(a, 2000);
    memory.synchronize();
    const read = (address: bigint) => {
      const into = new Float32Array(1000);
      memory.read(address, into);
      return into;
    };
    expect(read(b)).toEqual(numbers);
    expect(read(a)).toEqual(numbers.map((value, i) => (i < 500 ? 0 : value)));
    // A part of an array, and not what is around it.
    memory.write(a, numbers.subarray(0, 2));
    expect([...read(a).subarray(0, 3)]).toEqual([-500, -499, 0]);
    for (const address of [a, b]) memory.free(address);
    expect(memory.room()).toEqual(before);
    memory.close();
  });

  it('says by name what fails, and of full memory that it is full', () => {
    const memory = openDriver(library);
    const failure = failureOf(() => memory.allocate(2 ** 21));
    expect(failure.message).toBe('cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY');
    expect(isOutOfMemory(failure)).toBe(true);
    expect(isOutOfMemory(new Error('CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED'))).toBe(true);
    expect(isOutOfMemory(new Error('cuMemAlloc_v2: CUDA_ERROR_ILLEGAL_ADDRESS'))).toBe(false);
    memory.close();
  });

  it('launches kernels with their arguments in order, whose numbers are those of their formulas', () => {
    const memory = openDriver(library);
    const count = 700;
    const draw = uniformStream(3);
    const regions = Object.fromEntries(
      ['parameters', 'gradients', 'means', 'squares'].map((name) => {
        const data = Float32Array.from({ length: count }, () => draw());
        const address = memory.allocate(data.byteLength);
        memory.write(address, data);
        return [name, { address, data }];
      }),
    );
    const { parameters, gradients, means, squares } = regions;
    const sum = memory.sumOfSquares(gradients.address, count);
    expect(sum).toBeCloseTo(
      gradients.data.reduce((total, x) => total + x * x, 0),
      9,
    );
    expect(memory.sumOfSquares(gradients.address, count)).toBe(sum);

    memory.accumulate(gradients.address, squares.address, count);
    const added = gradients.data.map((value, i) => value + squares.data[i]);
    const read = new Float32Array(count);
    memory.read(gradients.address, read);
    expect(read).toEqual(added);

    const update = { gradientScale: 0.5, decay: 0.99, oneMinusBeta1: 0.1, beta2: 0.98, oneMinusBeta2: 0.02, root: 0.3, epsilon: 1e-3, step: 0.05 }; // prettier-ignore
    memory.adamw(
      {
        parameters: parameters.address,
        gradients: gradients.address,
        means: means.address,
        squares: squares.address,
        count,
      },
      update,
    );
    const [scale, decay, oneMinusBeta1, beta2, oneMinusBeta2, root, epsilon, step] =
      Object.values(update).map(fround);
    const expected = parameters.data.map((p, i) => {
      const g = fround(added[i] * scale);
      const m = fround(means.data[i] + fround(fround(g - means.data[i]) * oneMinusBeta1));
      const v = fround(fround(squares.data[i] * beta2) + fround(fround(g * g) * oneMinusBeta2));
      const deviation = fround(fround(fround(Math.sqrt(v)) / root) + epsilon);
      return fround(fround(p * decay) - fround(step * fround(m / deviation)));
    });
    memory.read(parameters.address, read);
    expect(read).toEqual(expected);
    for (const { address } of Object.values(regions)) memory.free(address);
    memory.close();
  });

  describe('that has no GPU to compute on', () => {
    afterEach(() => vi.unstubAllEnvs());
    const unusable = (why: string) =>
      `the GPU cannot be used (${why}): nvidia-smi says who holds it; it must be of 2018 or later (compute capability 7.5), and its driver one of CUDA 12 or later`;
    it.each([
      [
        'no-device',
        'the NVIDIA driver finds no GPU (cuInit: CUDA_ERROR_NO_DEVICE): nvidia-smi says what it sees, and CUDA_VISIBLE_DEVICES, where it is set, must name one of those',
      ],
      ['hidden', 'the NVIDIA driver shows no GPU: CUDA_VISIBLE_DEVICES, where it is set, must name one'],
      ['taken', unusable('cuDevicePrimaryCtxRetain: CUDA_ERROR_DEVICE_UNAVAILABLE')],
      ['full', unusable('cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY')],
      ['old', unusable('cuModuleLoadData: CUDA_ERROR_UNSUPPORTED_PTX_VERSION')],
    ])('is refused in a sentence: %s', (wrong, sentence) => {
      vi.stubEnv('FAKE_CUDA', wrong);
      const failure = failureOf(() => openDriver(library));
      expect(failure).toBeInstanceOf(NoGpu);
      expect(failure.message).toBe(sentence);
      // Who goes on without the GPU holds nothing of it.
      expect(openLibrary(library).functionOf('timesRetained', 'int', [])()).toBe(0);
    });
  });
});

describe.skipIf(!canRunHostCuda)('a driver that is not there', () => {
  it('is refused in a sentence', () => {
    const failure = failureOf(() => openDriver('/no/such/libcuda.so.1'));
    expect(failure).toBeInstanceOf(NoGpu);
    expect(failure.message).toMatch(
      /^the NVIDIA driver cannot be loaded \(.*No such file.*\): npm run gpu says/,
    );
  });

  it('is told without loading anything', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'libcuda.so.1'), '');
    vi.stubEnv('LD_LIBRARY_PATH', folder);
    // The loader's own comes first, which it knows by its name.
    expect(['libcuda.so.1', join(folder, 'libcuda.so.1')]).toContain(findDriverLibrary());
    vi.unstubAllEnvs();
  });
});
