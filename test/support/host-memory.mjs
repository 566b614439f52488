// The process's own memory in the place of a GPU's, for the CUDA device's code above ONNX Runtime's CPU provider. AdamW and its kin are the
// formulas of lib/engine/devices/cpu/adamw.wat, number by number.
import koffi from 'koffi';

const { copyFrom, copyTo } = await import('../../dist/lib/engine/devices/ort/native.js');

const libc = koffi.load('libc.so.6');
const alignedAlloc = libc.func('void *aligned_alloc(size_t alignment, size_t size)');
const memset = libc.func('void *memset(uint64_t memory, int value, size_t size)');
const free = libc.func('void free(void *memory)');

const ALIGNMENT = 256;
/** As much as this "GPU" has. */
const TOTAL_BYTES = 2 ** 31;
const { fround, sqrt } = Math;

/** Numbers at an address, to be changed and written back. */
function changing(count, addresses, change) {
  const arrays = addresses.map((address) => copyFrom(address, new Float32Array(count)));
  change(...arrays);
  addresses.forEach((address, index) => copyTo(address, arrays[index]));
}

export function openHostMemory() {
  const sizes = new Map();
  let used = 0;
  return {
    provider: 'CPU',
    name: "the process's memory",
    room: () => ({ free: TOTAL_BYTES - used, total: TOTAL_BYTES }),
    allocate(byteLength) {
      const size = Math.ceil(Math.max(1, byteLength) / ALIGNMENT) * ALIGNMENT;
      const address = alignedAlloc(ALIGNMENT, size);
      sizes.set(address, size);
      used += size;
      // What was not written must not look like zeros.
      memset(address, 0xff, size);
      return address;
    },
    free(address) {
      if (!sizes.has(address)) throw new Error('freed what was not allocated');
      used -= sizes.get(address);
      sizes.delete(address);
      free(address);
    },
    write: (address, data) => copyTo(address, data),
    read: (address, into) => void copyFrom(address, into),
    copy: (to, from, byteLength) => copyTo(to, copyFrom(from, new Uint8Array(byteLength))),
    clear: (address, byteLength) => void memset(address, 0, byteLength),
    synchronize() {},
    accumulate(totals, gradients, count) {
      changing(count, [totals, gradients], (total, g) => {
        for (let i = 0; i < count; i++) total[i] += g[i];
      });
    },
    sumOfSquares: (numbers, count) =>
      copyFrom(numbers, new Float32Array(count)).reduce((sum, x) => sum + x * x, 0),
    adamw({ parameters, gradients, means, squares, count }, update) {
      const scalars = Object.fromEntries(
        Object.entries(update).map(([name, value]) => [name, fround(value)]),
      );
      const { gradientScale, decay, oneMinusBeta1, beta2, oneMinusBeta2, root, epsilon, step } = scalars;
      changing(count, [parameters, gradients, means, squares], (p, g, m, v) => {
        for (let i = 0; i < count; i++) {
          const gradient = fround(g[i] * gradientScale);
          m[i] = fround(m[i] + fround(fround(gradient - m[i]) * oneMinusBeta1));
          v[i] = fround(fround(v[i] * beta2) + fround(fround(gradient * gradient) * oneMinusBeta2));
          const deviation = fround(fround(fround(sqrt(v[i])) / root) + epsilon);
          p[i] = fround(fround(p[i] * decay) - fround(step * fround(m[i] / deviation)));
        }
      });
    },
    close() {
      if (sizes.size > 0) throw new Error(`${sizes.size} allocations were not freed`);
    },
  };
}
