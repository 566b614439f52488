import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readWav, toMono } from '../../lib/audio/wav.js';
import { loadDnsmos, type Dnsmos } from '../../lib/scoring/dnsmos/dnsmos.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';

describe('loadDnsmos', () => {
  it('names a file that is no network', async () => {
    const folder = temporaryFolder();
    await expect(loadDnsmos(folder)).rejects.toThrow(`${join(folder, 'sig_bak_ovr.onnx')}: cannot load`);
    writeFileSync(join(folder, 'sig_bak_ovr.onnx'), 'nothing');
    await expect(loadDnsmos(folder)).rejects.toThrow(`${join(folder, 'sig_bak_ovr.onnx')}: cannot load`);
  });
});

interface Golden {
  files: Record<
    string,
    { dnsmos?: { ovrl_mos: number; sig_mos: number; bak_mos: number; p808_mos: number } }
  >;
}

const goldenPath = sharedPath('golden/dnsmos.json');
// Tests do not download: it is there when DNSMOS_WEIGHTS or the user's cache has it.
const dnsmos = await loadDnsmos().catch((error: Error) => error);
if (dnsmos instanceof Error) {
  if (process.env.SPEECH_DPO_REQUIRE_SHARED === '1') throw dnsmos;
  console.warn(`Skipped: DNSMOS is not compared with its goldens. ${dnsmos.message}`);
}
describe.skipIf(!goldenPath || dnsmos instanceof Error)("DNSMOS, compared with its authors' code", () => {
  const golden = goldenPath ? (JSON.parse(readFileSync(goldenPath, 'utf8')) as Golden).files : {};
  const { score, dispose } = dnsmos as Dnsmos;
  afterAll(() => dispose());

  it.each(Object.entries(golden).filter(([, { dnsmos: scores }]) => scores))(
    '%s',
    async (file, { dnsmos: expected }) => {
      const recording = await readWav(sharedPath(`golden/audio/${file}`)!);
      const tolerance = recording.sampleRateHz === 16000 ? 1e-3 : 0.02;
      const { ovrl, sig, bak, p808 } = await score(toMono(recording), recording.sampleRateHz);
      expect(Math.abs(ovrl - expected!.ovrl_mos)).toBeLessThan(tolerance);
      expect(Math.abs(sig - expected!.sig_mos)).toBeLessThan(tolerance);
      expect(Math.abs(bak - expected!.bak_mos)).toBeLessThan(tolerance);
      expect(Math.abs(p808 - expected!.p808_mos)).toBeLessThan(tolerance);
    },
  );

  it('rates a short recording as it rates what repeating makes of it', async () => {
    // Two seconds, of which every other one of seven windows begins at the first.
    const short = Float32Array.from({ length: 32_000 }, (_, i) => {
      const [burst, pitch] = [Math.sin(i / 2500) ** 2, i < 16_000 ? 0.05 : 0.09];
      return (
        0.1 * burst * (Math.sin(i * pitch) + Math.sin(3 * i * pitch) + (i < 16_000 ? 0 : Math.sin(i * i)))
      );
    });
    const long = new Float32Array(8 * short.length);
    for (let at = 0; at < long.length; at += short.length) long.set(short, at);
    const [expected, found] = [await score(long, 16_000), await score(short, 16_000)];
    for (const name of ['ovrl', 'sig', 'bak', 'p808'] as const)
      expect(Math.abs(found[name] - expected[name]), name).toBeLessThan(1e-4);
  });

  it('refuses nothing and NaN', async () => {
    await expect(score(new Float32Array(0), 16000)).rejects.toThrow('holds no samples');
    await expect(score(Float32Array.of(NaN), 16000)).rejects.toThrow('not a finite number');
  });
});
