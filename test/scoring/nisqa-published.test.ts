/** The two further networks of NISQA's authors, compared with their code. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readWav, toMono } from '../../lib/audio/wav.js';
import {
  loadNisqaMosOnly,
  loadNisqaTts,
  type Nisqa,
  type NisqaScore,
} from '../../lib/scoring/nisqa/nisqa.js';
import type { UnscorableSample } from '../../lib/scoring/unscorable.js';
import { sharedPath } from '../support/shared.js';

type Golden = { files: Record<string, { scores?: { mos_pred: number }; error?: string }> };

describe.each([
  ['nisqa_tts', loadNisqaTts, 30],
  ['nisqa_mos_only', loadNisqaMosOnly, 120],
])('%s', (name, load, mostSeconds) => {
  const goldenPath = sharedPath(`golden/${name}.json`);
  const beside = process.env.NISQA_WEIGHTS && join(dirname(process.env.NISQA_WEIGHTS), `${name}.tar`);
  const weightsPath = beside && existsSync(beside) ? beside : sharedPath(`nisqa/${name}.tar`);
  const golden = goldenPath ? (JSON.parse(readFileSync(goldenPath, 'utf8')) as Golden).files : {};
  const pathOf = (file: string) => sharedPath(`golden/audio/${file}`)!;

  describe.skipIf(!goldenPath || !weightsPath)("compared with its authors' code", () => {
    const files = Object.keys(golden);
    let nisqa: Nisqa<NisqaScore>;
    let results: (NisqaScore | UnscorableSample)[];
    beforeAll(async () => {
      nisqa = await load(weightsPath);
      const recordings = await Promise.all(files.map((file) => readWav(pathOf(file))));
      // Of unequal lengths and rates, several in each run of the network.
      results = await nisqa.scoreBatch(
        recordings.map((recording) => ({ samples: toMono(recording), sampleRateHz: recording.sampleRateHz })),
      );
    });
    afterAll(() => nisqa.dispose());

    it.each(Object.entries(golden))('%s', (file, { scores }) => {
      const result = results[files.indexOf(file)];
      if (!scores) {
        expect((result as Error).message).toMatch(/^it (is too short for NISQA|holds no samples)/);
        return;
      }
      expect(Object.keys(result)).toEqual(['mos']);
      expect(Math.abs((result as NisqaScore).mos - scores.mos_pred)).toBeLessThan(1e-4);
    });

    it.each(['clip_0p2s_16k.wav', 'real_8k.wav'])('%s alone', async (file) => {
      const { mos } = await nisqa.scoreFile(pathOf(file));
      expect(Math.abs(mos - golden[file].scores!.mos_pred)).toBeLessThan(1e-4);
    });

    it('says how long a recording may be', async () => {
      const samples = new Float32Array((mostSeconds + 1) * 1000);
      await expect(nisqa.score(samples, 1000)).rejects.toThrow(
        `it is too long for NISQA: ${mostSeconds + 1}.0000 s; at most ${mostSeconds} s are possible`,
      );
    });
  });
});
