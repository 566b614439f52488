/** The notebooks as committed, converted to HTML by nbconvert and opened in Chromium: nothing runs there, so pictures stand for charts. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, CHROMIUM_ARGUMENTS } from '../support/chromium.js';
import { PROJECT } from '../support/jupyterlab.js';
import { NOTEBOOKS } from './shown.js';

/** It installs JupyterLab, so it runs where it is asked for; there, nothing may be missing. */
const asked = process.env.SPEECH_DPO_REQUIRE_BROWSER === '1';
if (!asked)
  console.warn(
    'Skipped: notebooks as static HTML. SPEECH_DPO_REQUIRE_BROWSER=1 converts them; that needs Chromium and Python.',
  );

interface StaticFacts {
  /** Charts as still pictures. */
  charts: number;
  /** Spectrograms of recordings. */
  spectrograms: number;
  /** Durations of all players in seconds; NaN where a player cannot play. */
  audioSeconds: number[];
}

const COLLECT = `(async () => {
  const players = [...document.querySelectorAll('audio')];
  const loaded = players.map((player) => new Promise((resolve) => {
    if (player.duration > 0) resolve();
    player.onloadedmetadata = player.onerror = resolve;
    setTimeout(resolve, 3000);
  }));
  await Promise.all(loaded);
  const countWide = (selector, width) =>
    [...document.querySelectorAll(selector)].filter((picture) => picture.getBoundingClientRect().width > width).length;
  return {
    charts: countWide('.jp-RenderedSVG :is(svg, img)', 300),
    spectrograms: countWide('.jp-OutputArea img[alt^="spectrogram"]', 0),
    audioSeconds: players.map(({ duration }) => duration),
  };
})()`;

describe.skipIf(!asked)('notebooks as committed', () => {
  let folder: string;
  let browser: Browser;

  beforeAll(async () => {
    if (!existsSync(CHROMIUM))
      throw new Error(`Chromium is not at ${CHROMIUM}: install it, or set CHROMIUM to its path`);
    const prepare = "import('./scripts/lab/environment.mjs').then(({ prepareLab }) => prepareLab())";
    execFileSync(process.execPath, ['-e', prepare], { cwd: PROJECT, stdio: 'inherit' });
    const notebooks = NOTEBOOKS.map(({ name }) => join(PROJECT, 'notebooks', `${name}.ipynb`));
    folder = mkdtempSync(join(tmpdir(), 'speech-dpo-html-'));
    const options = ['--to', 'html', '--log-level', 'ERROR', '--output-dir', folder];
    execFileSync(join(PROJECT, '.venv', 'bin', 'python'), ['-m', 'nbconvert', ...options, ...notebooks]);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGUMENTS });
  }, 400_000);

  afterAll(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  it.each(NOTEBOOKS)(
    '$name is a page of pictures and players as static HTML',
    async ({ name, charts, players }) => {
      const page = await browser.newPage();
      await page.goto(pathToFileURL(join(folder, `${name}.html`)).href, { waitUntil: 'domcontentloaded' });
      const facts = (await page.evaluate(COLLECT)) as StaticFacts;
      await page.close();
      expect(facts.charts).toBe(charts);
      expect(facts.spectrograms).toBe(players);
      expect(facts.audioSeconds).toHaveLength(players);
      for (const duration of facts.audioSeconds) expect(duration).toBeGreaterThan(0);
    },
  );
});
