import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CpuDevice } from '../../lib/engine/index.js';
import { releaseAll, type Release } from '../../lib/release.js';
import { DNSMOS_PLACE } from '../../lib/scoring/dnsmos/dnsmos.js';
import { openP835 } from '../../lib/scoring/dnsmos/p835.js';
import {
  authorsWindows,
  copySamples,
  fewestWindows,
  WINDOW_SAMPLES,
  type Windows,
} from '../../lib/scoring/dnsmos/windows.js';
import { readOnnxWeights } from '../../lib/scoring/onnx-weights.js';
import { locateWeights } from '../../lib/scoring/weights-path.js';

/** A tone that swells and falls, so that no two windows sound alike. */
const sound = (length: number) =>
  Float32Array.from({ length }, (_, i) => 0.3 * Math.sin(i * (0.05 + i * 1e-7)) * Math.sin(i * 7e-4));

describe('the windows of a recording', () => {
  it.each([
    // Seconds of the recording, windows, how many of them are distinct.
    [2, 7, 2],
    [0.01, 1, 1],
    [2.4, 1, 1],
    [2.001, 7, 7],
    [8.94, 7, 7],
    [9.01, 1, 1],
    [12, 3, 3],
  ])('of %d s', (seconds, count, distinct) => {
    const { starts, period } = authorsWindows(sound(Math.round(seconds * 16_000)));
    expect(starts).toHaveLength(count);
    expect(new Set(starts.map((start) => start % period)).size).toBe(distinct);
  });

  it('are one where a shorter recording is repeated to fill it', () => {
    expect(fewestWindows(sound(32_000)).starts).toEqual([0]);
    expect(fewestWindows(sound(12 * 16_000)).starts).toHaveLength(3);
  });

  it('hold the samples again and again', () => {
    const samples = Float32Array.of(1, 2, 3);
    const target = new Float32Array(7);
    copySamples({ samples, starts: [], period: Infinity }, 1, target);
    expect([...target]).toEqual([2, 3, 1, 2, 3, 1, 2]);
  });
});

const weights = locateWeights(DNSMOS_PLACE);
if (!weights.isHere) {
  if (process.env.SPEECH_DPO_REQUIRE_SHARED === '1') throw new Error("DNSMOS's networks are missing");
  console.warn(
    'Skipped: the rows of frames are not compared with the P.835 network: it is not on this machine.',
  );
}

describe.skipIf(!weights.isHere)('rows of frames that windows share', () => {
  const device = new CpuDevice(2);
  const opened: Release[] = [];
  afterAll(async () => {
    await releaseAll(opened);
    await device.close();
  });

  it.each([160, 33_333, 38_400, 32_000, 144_160, 160_077])(
    "give of %d samples what the network gives of each window by itself, within float32's noise",
    async (length) => {
      const model = readFileSync(join(weights.path, 'sig_bak_ovr.onnx'));
      const rate = await openP835(readOnnxWeights(model), device, opened);
      const windows = authorsWindows(sound(length));
      const ratings = await rate(windows);
      const network = await device.load(Uint8Array.from(model));
      for (const [index, start] of windows.starts.entries()) {
        const alone = await rateAlone(network, windows, start);
        expect(ratings[index].every((rating, i) => Math.abs(rating - alone[i]) < 1e-5)).toBe(true);
      }
      await device.unload(network);
    },
  );

  async function rateAlone(network: number, windows: Windows, start: number) {
    const data = new Float32Array(WINDOW_SAMPLES);
    copySamples(windows, start, data);
    const outputs = await device.run(network, { input_1: { data, shape: [1, WINDOW_SAMPLES] } }, {});
    return Object.values(outputs)[0];
  }
});
