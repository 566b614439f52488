import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PreferenceRow } from '../../lib/experiment/data-file.js';
import { preparePairs } from '../../lib/experiment/prepare-pairs.js';
import { createTinyRun } from './tiny-run.js';

describe('pairs of a length guard', () => {
  const roots: string[] = [];
  afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));

  async function pairsOf(lengthGuard: boolean): Promise<PreferenceRow[]> {
    const run = await createTinyRun({ lengthGuard, sampleSize: 40, pairsPerPrompt: 20, maxNewTokens: 30 });
    roots.push(dirname(dirname(run.directories.outputDirectory)));
    const events = preparePairs(run, 0);
    for (;;) {
      const { done, value } = await events.next();
      if (done) return value;
    }
  }
  const chooseLonger = (rows: PreferenceRow[]) =>
    rows.filter(({ chosen, rejected }) => chosen.length > rejected.length).length;

  it('never choose the longer sample, where others do', async () => {
    const guarded = await pairsOf(true);
    expect(guarded.length).toBeGreaterThan(2);
    expect(chooseLonger(guarded)).toBe(0);
    for (const { chosenReward, rejectedReward } of guarded)
      expect(chosenReward).toBeGreaterThan(rejectedReward);
    expect(chooseLonger(await pairsOf(false))).toBeGreaterThan(0);
  });
});
