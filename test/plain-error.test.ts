/** What is no plain Error is a fault of the program: nowhere is it told as something that a person's file or machine lacks. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pairOf } from '../lib/experiment/training-pairs.js';
import { loadPolicy } from '../lib/index.js';
import { openPrompts } from '../lib/jobs/prompts.js';
import { loadData } from '../lib/jobs/sources.js';
import { describeError } from '../lib/notebook/kernel/errors.js';
import { tellingFirst } from '../lib/plain-error.js';
import type { SpeechTokenizer } from '../lib/policy/tokenizer.js';
import { packPairs, type PreferenceRow } from '../lib/run/data-file.js';
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

it('a cell ends with what went wrong before something could not be released', async () => {
  const work = async () => {
    await using opened = { [Symbol.asyncDispose]: () => Promise.reject(new Error('not released')) };
    throw new Error(`the ${typeof opened} is wrong`);
  };
  const thrown: unknown = await work().catch((error: unknown) => error);
  expect(describeError(thrown)).toMatchObject({ ename: 'Error', evalue: 'the object is wrong' });
});

it('a job tells what went wrong before something could not be released', async () => {
  const work = tellingFirst(async (what: string) => {
    await using opened = { [Symbol.asyncDispose]: () => Promise.reject(new Error('not released')) };
    if (what !== '') throw new Error(`the ${typeof opened} is ${what}`);
  });
  await expect(work('wrong')).rejects.toThrow('the object is wrong');
  await expect(work('')).rejects.toThrow('not released');
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

  describe('in what packs text and codes', () => {
    const codes = [[1, 2]];
    const item = { instruction: 'Faster', src_encodec: codes, tgt_encodec: codes };
    const row: PreferenceRow = {
      ...{ instruction: item.instruction, source: [1, 2], chosen: [1], rejected: [2], details: {} },
      ...{ chosenReward: 2, rejectedReward: 1, averageReward: 1.5 },
    };
    const broken = async () => {
      const policy = await loadPolicy('default');
      const own = { encodeText: program.fail, codeId: program.fail };
      return { ...policy, tokenizer: Object.assign(Object.create(policy.tokenizer), own) as SpeechTokenizer };
    };

    it('is not taken for an item that a policy cannot read', async () => {
      const policy = await broken();
      const file = join(temporaryFolder(), 'items.json');
      const all = Array.from({ length: policy.tokenizer.codebooks }, () => [1, 2]);
      writeFileSync(file, JSON.stringify([{ ...item, src_encodec: all, tgt_encodec: all }]));
      await expect(loadData(file, policy, { train: 1, test: 0 })).rejects.toThrow(TypeError);
    });

    it('is not taken for a prompt or a pair that a policy cannot read', async () => {
      const policy = await broken();
      const given = { train: [item], test: [] };
      const sources = { model: 'default', prompts: null, data: null, instruction: null };
      await expect(openPrompts(policy, sources, { train: 1, test: 0 }, { given })).rejects.toThrow(TypeError);
      expect(() => packPairs(policy, [row])).toThrow(TypeError);
      expect(() => pairOf(policy, { index: 0, item, ids: [] }, row)).toThrow(TypeError);
    });
  });
});
