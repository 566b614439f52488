/** Opens JupyterLab as `npm run lab` starts it, in Chromium, and runs every notebook in quick mode as a person would. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM } from '../support/chromium.js';
import { startLab, type Lab } from '../support/jupyterlab.js';
import {
  collectText,
  execute,
  runAllCells,
  runInstead,
  stopWhileRunning,
  takePictures,
} from '../support/notebook-page.js';
import { NOTEBOOKS } from './shown.js';

/** It installs JupyterLab and takes minutes, so it runs where it is asked for; there, nothing may be missing. */
const asked = process.env.SPEECH_DPO_REQUIRE_BROWSER === '1';
if (!asked)
  console.warn(
    'Skipped: notebooks in a browser. SPEECH_DPO_REQUIRE_BROWSER=1 runs them; they need Chromium and Python.',
  );

const LEAST_PROGRESS_MOVES = 5;
const LONGEST_WAIT_FOR_PROGRESS_SECONDS = 5;
const SCREENSHOTS = process.env.SPEECH_DPO_SCREENSHOTS;

describe.skipIf(!asked)('notebooks in JupyterLab', () => {
  let lab: Lab;

  beforeAll(async () => {
    if (!existsSync(CHROMIUM))
      throw new Error(`Chromium is not at ${CHROMIUM}: install it, or set CHROMIUM to its path`);
    lab = await startLab({
      executable: CHROMIUM,
      environment: { SPEECH_DPO_MODE: 'quick' },
      theme: process.env.SPEECH_DPO_THEME,
    });
    console.log(`JupyterLab answered after ${lab.startSeconds.toFixed(1)} s`);
  }, 400_000);

  afterAll(async () => {
    await lab?.close();
  });

  it.each(NOTEBOOKS)(
    '$name runs from top to bottom',
    async ({ name, charts, players }) => {
      const page = await lab.open(`${name}.ipynb`);
      const facts = await runAllCells(page, 400_000);
      const { seconds, progressMoves, slowestBarSeconds } = facts;
      console.log(
        `${name}: ${seconds.toFixed(0)} s, ${progressMoves} progress moves, bars within ${slowestBarSeconds.toFixed(1)} s`,
      );
      if (SCREENSHOTS) await takePictures(page, SCREENSHOTS, name);
      expect(facts.errors).toEqual([]);
      expect(progressMoves).toBeGreaterThanOrEqual(LEAST_PROGRESS_MOVES);
      expect(slowestBarSeconds).toBeLessThan(LONGEST_WAIT_FOR_PROGRESS_SECONDS);
      expect(facts.charts).toBe(charts);
      expect(facts.audioSeconds).toHaveLength(players);
      for (const duration of facts.audioSeconds) expect(duration).toBeGreaterThan(0);
      await page.close();
    },
    700_000,
  );

  it('the stop button ends a training within 2 s, the next cell runs, and the run goes on', async () => {
    const page = await lab.open('dpo_even_token.ipynb');
    const seconds = await stopWhileRunning(page, 'iteration 1: training', 200_000);
    console.log(`stopped after ${seconds.toFixed(2)} s`);
    expect(seconds).toBeLessThan(2);
    expect(await execute(page, 'const stopped = run.events.length;')).toBe('ok');
    expect(
      await execute(page, 'if (run.events.at(-1)?.type === "finished") throw new Error("not stopped");'),
    ).toBe('ok');
    expect(await execute(page, 'await run.iterate();')).toBe('ok');
    const check =
      'if (run.events.at(-1)?.type !== "finished" || run.events.length <= stopped) throw new Error();';
    expect(await execute(page, check)).toBe('ok');
    await page.close();
  }, 700_000);

  it('a cell shows 100,000 lines, and the stop button ends one that never lets go', async () => {
    const page = await lab.open('dpo_even_token.ipynb');
    await page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')");
    const printing = 'const line = "=".repeat(60); for (let i = 0; i < 100_000; i++) console.log(i, line);';
    const shown = await collectText(page, printing);
    expect(shown === Array.from({ length: 100_000 }, (_, i) => `${i} ${'='.repeat(60)}\n`).join('')).toBe(
      true,
    );
    const stopped = execute(page, 'for (;;) await null;');
    await page.waitForTimeout(1000);
    await page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')");
    expect(await stopped).toBe('error');
    expect(await execute(page, 'if (line.length !== 60) throw new Error();')).toBe('ok');
    await page.close();
  }, 100_000);

  it('"run all" ends with the first cell that fails', async () => {
    const page = await lab.open('dpo_even_token.ipynb');
    const texts = await runInstead(page, [
      'console.log("one");',
      'throw new Error("two");',
      'console.log("three");',
    ]);
    expect(texts).toEqual(['one', expect.stringContaining('Error: two'), '']);
    expect(await execute(page, '4;')).toBe('ok');
    await page.close();
  }, 100_000);
});
