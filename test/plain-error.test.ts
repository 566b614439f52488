/** What is no plain Error is a fault of the program: nowhere is it told as something that a person's file or machine lacks. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadPolicy } from '../lib/index.js';
import { loadData } from '../lib/jobs/sources.js';
import { measureRecordings } from '../lib/scoring/measure.js';
import { findWeights, type WeightsPlace } from '../lib/scoring/weights-path.js';
import { writeTensorBoard } from '../lib/tensorboard/tensorboard.js';
import { writeReport } from '../lib/view/report.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { writeFixtureRun } from './view/fixture-run.js';

const program = vi.hoisted(() => ({
  isBroken: false,
  fail(): never {
    throw new TypeError('show is not a function');
  },
}));
vi.mock('../lib/audio/wav.js', async (original) => {
  const real = await original<typeof import('../lib/audio/wav.js')>();
  const parseWav: typeof real.parseWav = (...given) =>
    program.isBroken ? program.fail() : real.parseWav(...given);
  return { ...real, parseWav };
});

afterEach(() => {
  program.isBroken = false;
  vi.unstubAllEnvs();
});

describe('a fault of the program', () => {
  it('is not taken for weights that cannot be downloaded', async () => {
    vi.stubEnv('XDG_CACHE_HOME', temporaryFolder());
    vi.stubEnv('HF_HUB_OFFLINE', '');
    const place: WeightsPlace = {
      ...{ metric: 'MOS', variable: 'NO_SUCH_WEIGHTS', cached: 'w', kind: 'file', source: 'w', licence: '' },
      download: async () => program.fail(),
    };
    await expect(findWeights(place)).rejects.toThrow(TypeError);
  });

  it('is not taken for a metric that lacks something', async () => {
    const damaged = { samples: undefined as unknown as Float32Array, sampleRateHz: 16000 };
    const measuring = async () => {
      for await (const { scores } of measureRecordings([damaged], {}, ['silence']))
        expect(scores).toBeUndefined();
    };
    await expect(measuring()).rejects.toThrow(TypeError);
  });

  it('is not taken for sound that cannot be read', async () => {
    const { outputDirectory } = await writeFixtureRun({});
    program.isBroken = true;
    await expect(writeReport(outputDirectory)).rejects.toThrow(TypeError);
    await expect(writeTensorBoard(outputDirectory)).rejects.toThrow(TypeError);
  });

  it('is not taken for an item that a policy cannot read', async () => {
    const policy = await loadPolicy('default');
    const file = join(temporaryFolder(), 'items.json');
    const codes = Array.from({ length: policy.tokenizer.codebooks }, () => [1, 2]);
    writeFileSync(file, JSON.stringify([{ instruction: 'Faster', src_encodec: codes, tgt_encodec: codes }]));
    const tokenizer = Object.assign(Object.create(policy.tokenizer), { encodeText: program.fail });
    await expect(loadData(file, { ...policy, tokenizer }, { train: 1, test: 0 })).rejects.toThrow(TypeError);
  });
});
