import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readWav, toMono } from '../../lib/audio/wav.js';
import { measurePesq } from '../../lib/scoring/pesq.js';
import { findPython } from '../../lib/scoring/python.js';
import { UnscorableSample } from '../../lib/scoring/unscorable.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const tone = Float32Array.from({ length: 8000 }, (_, i) => 0.3 * Math.sin(i * 0.2));

describe('measurePesq', () => {
  it.each([
    [48000, tone, {}, 'PESQ takes a sample rate of 8000 or 16000 Hz, not 48000'],
    [8000, tone, { modes: ['wb'] }, 'no wide band mode at 8000 Hz'],
    [16000, tone.subarray(0, 3999), {}, 'too short for PESQ: 0.2499 s; at least 0.25 s are needed'],
    [16000, new Float32Array(8000), {}, 'it is silent'],
    [16000, Float32Array.from(tone).fill(NaN, 5, 6), {}, 'not a finite number'],
  ] as const)(
    'explains why a reference of %i Hz will not do (%#)',
    async (rate, reference, options, message) => {
      await expect(measurePesq(reference, [tone], rate, options)).rejects.toThrow(message);
    },
  );

  it('says how to install the package where Python or it is missing', async () => {
    await expect(measurePesq(tone, [tone], 16000, { python: '/nowhere/python' })).rejects.toThrow(
      'PESQ fails: cannot run /nowhere/python: spawn /nowhere/python ENOENT. It needs the Python package pesq: /nowhere/python -m pip install pesq==0.0.4 numpy',
    );
  });

  it('tells a package that is missing from other trouble', async () => {
    const folder = temporaryFolder();
    const python = join(folder, 'python');
    writeFileSync(python, '#!/bin/sh\necho "ModuleNotFoundError: No module named \'pesq\'" >&2; exit 1', {
      mode: 0o755,
    });
    await expect(measurePesq(tone, [tone], 16000, { python })).rejects.toThrow(
      "PESQ fails: ModuleNotFoundError: No module named 'pesq'. It needs",
    );
    writeFileSync(python, '#!/bin/sh\nkill -SEGV $$');
    await expect(measurePesq(tone, [tone], 16000, { python })).rejects.toThrow(
      `PESQ fails: ${python} ended with SIGSEGV`,
    );
  });

  it('asks no Python for what cannot be scored', async () => {
    const results = await measurePesq(tone, [tone.subarray(0, 100), new Float32Array(8000)], 16000, {
      python: '/nowhere/python',
    });
    expect(results.map((result) => (result as Error).message)).toEqual([
      'it is too short for PESQ: 0.0063 s; at least 0.25 s are needed',
      'it is silent, and PESQ compares speech',
    ]);
  });
});

const goldenPath = sharedPath('golden/pesq.json');
const hasPesq = spawnSync(findPython(), ['-c', 'import pesq']).status === 0;
if (!hasPesq) {
  if (process.env.SPEECH_DPO_REQUIRE_SHARED === '1')
    throw new Error(
      'SPEECH_DPO_REQUIRE_SHARED is set, but there is no Python package pesq (SPEECH_DPO_PYTHON)',
    );
  console.warn('Skipped: there is no Python package pesq to compare PESQ with its goldens.');
}
describe.skipIf(!goldenPath || !hasPesq)('compared with pesq 0.0.4 called directly', () => {
  const { pairs } = (goldenPath ? JSON.parse(readFileSync(goldenPath, 'utf8')) : { pairs: [] }) as {
    pairs: { ref: string; deg: string; sr: number; pesq_wb?: number; pesq_nb: number }[];
  };
  const read = async (file: string) => toMono(await readWav(sharedPath(`golden/audio/${file}`)!));

  it.each([...new Set(pairs.map(({ ref }) => ref))])('with the reference %s', async (ref) => {
    const compared = pairs.filter((pair) => pair.ref === ref);
    const recordings = await Promise.all(compared.map(({ deg }) => read(deg)));
    const results = await measurePesq(await read(ref), recordings, compared[0].sr);
    compared.forEach(({ pesq_wb, pesq_nb, deg }, i) => {
      const { wb, nb } = results[i] as { wb?: number; nb: number };
      expect(nb, deg).toBeCloseTo(pesq_nb, 4);
      if (pesq_wb === undefined) expect(wb).toBeUndefined();
      else expect(wb, deg).toBeCloseTo(pesq_wb, 4);
    });
  });

  it('says that it finds no speech', async () => {
    const click = new Float32Array(16000);
    click[5] = 1e-30;
    const [result] = await measurePesq(click, [await read('real_16k.wav')], 16000);
    expect(result).toEqual(new UnscorableSample('PESQ finds no speech in the reference'));
  });
});
