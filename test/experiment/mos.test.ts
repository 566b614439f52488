import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readDataFile } from '../../lib/run/data-file.js';
import type { RunEvent } from '../../lib/run/events.js';
import { iterate } from '../../lib/experiment/iterate.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { presets } from '../../lib/run/presets.js';
import { recordRun } from '../../lib/run/record.js';
import { readRun } from '../../lib/run/run-files.js';
import type { Run } from '../../lib/experiment/run.js';
import { openScorers } from '../../lib/jobs/scorers.js';
import { sharedPath } from '../support/shared.js';
import { createTinyRun } from './tiny-run.js';

const SAMPLES_PER_FRAME = 800;
const nisqaWeights = sharedPath('nisqa/nisqa.tar');

afterAll(() => {
  vi.unstubAllEnvs();
});

describe('openScorers', () => {
  it('says how to provide the weights of the reward', async () => {
    vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
    const { codec } = await createTinyRun();
    await expect(openScorers(parseParameters(presets.mos), codec)).rejects.toThrow(
      'NISQA weights not found: the environment variable NISQA_WEIGHTS is /nowhere/nisqa.tar',
    );
  });

  it('goes on without a guard whose weights it lacks, and says so', async () => {
    vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
    vi.stubEnv('DNSMOS_WEIGHTS', '/nowhere/dnsmos');
    vi.stubEnv('WHISPER_MODEL', '');
    vi.stubEnv('RESEMBLYZER_WEIGHTS', '');
    vi.stubEnv('XDG_CACHE_HOME', '/nowhere');
    const run = await createTinyRun();
    const scorers = await openScorers(parseParameters({ guard: true }), run.codec);
    expect(scorers.notices).toEqual([
      expect.stringMatching(/^no guard by NISQA MOS: NISQA weights not found/),
      expect.stringMatching(/^no guard by DNSMOS OVRL: DNSMOS weights not found/),
      expect.stringMatching(/^no guard by word error rate: no recognizer is named/),
    ]);
    expect(scorers.guards.flatMap(({ figures }) => figures)).toEqual([
      ...['fidelity', 'duration', 'level', 'pitch'],
      ...['silence', 'clipping'],
    ]);
    await scorers[Symbol.asyncDispose]();
    // Pairs ask for no words.
    const ofPairs = await openScorers(parseParameters({ guardPairs: true }), run.codec);
    expect(ofPairs.notices).toEqual(scorers.notices.slice(0, 2));
    expect(ofPairs.guards.map(({ figures }) => figures)).toEqual(
      scorers.guards.map(({ figures }) => figures),
    );
    await ofPairs[Symbol.asyncDispose]();
    await rm(join(run.directories.modelDirectory, '..', '..'), { recursive: true });
  });
});

describe.skipIf(!nisqaWeights)('a run with the mos reward by NISQA', () => {
  let run: Run;
  let events: RunEvent[];
  beforeAll(async () => {
    vi.stubEnv('NISQA_WEIGHTS', nisqaWeights);
    vi.stubEnv('DNSMOS_WEIGHTS', '/nowhere/dnsmos');
    const tiny = await createTinyRun({ reward: 'mos', guard: true, iterations: 1 });
    // Frames long enough for NISQA; a completion that starts with code 0 is silent.
    const codec: Run['codec'] = {
      ...tiny.codec,
      decode: async ([codes]) =>
        Float32Array.from(
          { length: codes.length * SAMPLES_PER_FRAME },
          (_, i) => Math.sin(i * codes[0] * 0.1) / 2,
        ),
    };
    const scorers = await openScorers(tiny.parameters, codec);
    run = { ...tiny, codec, ...scorers };
    events = [];
    for await (const event of recordRun(iterate(run), run)) events.push(event);
    await scorers[Symbol.asyncDispose]();
  });
  afterAll(() => rm(join(run.directories.modelDirectory, '..', '..'), { recursive: true }));

  it('pairs by opinion score and drops silence', async () => {
    const scored = events.find((event) => event.type === 'scored')!;
    expect(scored.scored + scored.dropped).toBe(8);
    const rows = await readDataFile(join(run.directories.outputDirectory, 'data_iter_0.json'));
    expect(rows.length).toBeGreaterThan(0);
    for (const { chosen, chosenReward, rejectedReward } of rows) {
      expect(chosen[0]).not.toBe(0);
      expect(chosenReward).toBeGreaterThan(rejectedReward);
      expect(rejectedReward).toBeGreaterThan(0);
      expect(chosenReward).toBeLessThan(5.5);
    }
  });

  it('measures the guards before and after, and records them', async () => {
    const guarded = events.filter((event) => event.type === 'guarded');
    expect(guarded.map(({ iteration }) => iteration)).toEqual([-1, 0]);
    const figures = guarded[0].guards.map(({ figure }) => figure);
    expect(figures).toContain('fidelity');
    expect(figures).not.toContain('nisqa');
    const { events: recorded } = await readRun(run.directories.outputDirectory);
    expect(recorded.filter((event) => event.type === 'guarded')).toEqual(guarded);
  });
});
