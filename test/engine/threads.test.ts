import { availableParallelism } from 'node:os';
import { afterEach, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { defaultThreads, CpuDevice } from '../../lib/engine/index.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it('are the machine’s cores unless SPEECH_DPO_THREADS says how many', () => {
  vi.stubEnv('SPEECH_DPO_THREADS', undefined);
  expect(defaultThreads()).toBe(availableParallelism());
  vi.stubEnv('SPEECH_DPO_THREADS', '');
  expect(defaultThreads()).toBe(availableParallelism());
  for (const threads of [1, 3, 256]) {
    vi.stubEnv('SPEECH_DPO_THREADS', String(threads));
    expect(new CpuDevice().threads).toBe(threads);
  }
});

it.each(['-3', '0', '2.5', 'two', '1e9', '1000000000', '257', 'NaN', '0x2', ' '])(
  'SPEECH_DPO_THREADS=%s is refused before anything is loaded',
  async (value) => {
    vi.stubEnv('SPEECH_DPO_THREADS', value);
    const sentence = `the environment variable SPEECH_DPO_THREADS must be a whole number of threads from 1 to 256; it is "${value}"`;
    expect(() => defaultThreads()).toThrow(sentence);
    const complain = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await main(['even-token', '--model', '/nowhere'], new AbortController().signal)).toBe(2);
    expect(complain.mock.calls).toEqual([[`error: ${sentence}\n`]]);
  },
);

it.each([NaN, 0, -1, 1.5, 1e9])('a device of %d threads is refused', (threads) => {
  expect(() => new CpuDevice(threads)).toThrow(
    `a device computes with a whole number of threads from 1 to 256, not ${threads}`,
  );
});
