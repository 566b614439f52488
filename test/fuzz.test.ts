/**
 * Damaged files of every format that is read: a right answer or a sentence that names the file, in bounded time, and in no more memory
 * than four times the file's size (64 KiB where it is smaller) and the objects around it. FUZZ_RUNS=10000 npx vitest run
 * test/fuzz.test.ts tries more of them than the default.
 */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { encodeWav, parseWav } from '../lib/audio/wav.js';
import { parseSafetensors, writeSafetensors } from '../lib/checkpoint/safetensors.js';
import { parseTorchFile } from '../lib/checkpoint/torch-file.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { oldTorchFile, Tensor, torchFile } from './support/torch-file.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const MAX_MILLISECONDS = 2000;
const MAX_TIMES_FILE = 4;
/** Of what holds the numbers: WAV samples of a byte become floats of four, which reach the limit alone. */
const OBJECT_BYTES = 4096;
/** In smaller files an error with its stack counts for more than the data. */
const SMALL_FILE_BYTES = 64 * 1024;
const NUMBERS = 100_000;

const tensor = {
  shape: [NUMBERS],
  dtype: 'float32' as const,
  data: Float32Array.from({ length: NUMBERS }, (_, i) => Math.sin(i)),
};

const FORMATS: Record<string, { bytes: () => Promise<Uint8Array>; parse: (bytes: Uint8Array) => unknown }> = {
  WAV: {
    bytes: async () => encodeWav(tensor.data, 16000),
    parse: (bytes) => parseWav(bytes, 'damaged'),
  },
  'PyTorch zip': {
    bytes: async () => torchFile(new Map([['weight', new Tensor(tensor.shape, tensor.data)]])),
    parse: (bytes) => parseTorchFile(bytes, 'damaged'),
  },
  'PyTorch before 1.6': {
    bytes: async () => oldTorchFile(new Map([['weight', new Tensor(tensor.shape, tensor.data)]])),
    parse: (bytes) => parseTorchFile(bytes, 'damaged'),
  },
  safetensors: {
    bytes: async () => {
      const path = join(temporaryFolder(), 'x.safetensors');
      await writeSafetensors(path, new Map([['weight', tensor]]), { metadata: { format: 'pt' } });
      return readFileSync(path);
    },
    parse: (bytes) => parseSafetensors(bytes, 'damaged'),
  },
};

/** Where formats keep what can be damaged to most effect: the first and the last bytes. */
const anyPosition = fc.oneof(
  { weight: 4, arbitrary: fc.nat(200) },
  { weight: 3, arbitrary: fc.nat(400).map((fromEnd) => -1 - fromEnd) },
  { weight: 1, arbitrary: fc.nat() },
);
const anyByte = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255));
const anyDamage = fc.record({
  changes: fc.array(fc.tuple(anyPosition, anyByte), { minLength: 1, maxLength: 8 }),
  kept: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
});

it.each(Object.entries(FORMATS))('%s', async (_, { bytes, parse }) => {
  const whole = Uint8Array.from(await bytes());
  const most = { milliseconds: 0, timesFile: 0 };
  fc.assert(
    fc.property(anyDamage, ({ changes, kept }) => {
      const damaged = whole.slice(0, Math.round(whole.length * kept));
      for (const [position, value] of changes)
        if (damaged.length > 0) damaged[(position + whole.length) % damaged.length] = value;
      const start = performance.now();
      const before = heldBytes();
      const result = attempt(() => parse(damaged));
      let grown = heldBytes() - before;
      most.milliseconds = Math.max(most.milliseconds, performance.now() - start);
      const size = Math.max(damaged.length, SMALL_FILE_BYTES);
      const limit = MAX_TIMES_FILE * size + OBJECT_BYTES;
      for (let again = 0; again < 3 && grown > limit; again++)
        grown = growth(() => attempt(() => parse(damaged)));
      most.timesFile = Math.max(most.timesFile, grown / size);
      if (result instanceof Error) expect(result.message).toMatch(/^damaged[: ]/);
      expect(grown).toBeLessThan(limit);
    }),
    { numRuns: RUNS },
  );
  console.log(`${RUNS} runs`, most);
  expect(most.milliseconds).toBeLessThan(MAX_MILLISECONDS);
});

function attempt(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return error;
  }
}

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** By how much a result fills the memory, without the garbage that interpreted code makes before it is compiled. */
function growth(make: () => unknown): number {
  collectGarbage();
  const before = heldBytes();
  const result = make();
  collectGarbage();
  const after = heldBytes();
  return result === undefined ? 0 : after - before;
}
