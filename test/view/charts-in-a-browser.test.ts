/** Charts in Chromium as notebooks show them: plotly.js draws one layout at whatever width the notebook has. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namedLoss } from '../../lib/dpo/losses/named.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { trainingCurves } from '../../lib/view/charts.js';
import { boxesOf, overlaps } from '../support/boxes.js';
import { CHROMIUM, CHROMIUM_ARGUMENTS } from '../support/chromium.js';
import { fixtureEvents } from './fixture-run.js';

const isAsked = process.env.SPEECH_DPO_REQUIRE_BROWSER === '1';
const isThere = existsSync(CHROMIUM);
if (!isThere && !isAsked)
  console.warn(
    `Skipped: charts in a browser. Chromium is not at ${CHROMIUM}; CHROMIUM sets its path, SPEECH_DPO_REQUIRE_BROWSER=1 demands it.`,
  );

describe.skipIf(!isThere && !isAsked)('charts in a browser', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: CHROMIUM_ARGUMENTS });
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  it.each([480, 900])(
    'training curves of %d pixels keep titles off each other and off the panels beside them',
    async (width) => {
      const loss = namedLoss(parseParameters({ rpoAlpha: 0.05 }));
      const { data, layout } = trainingCurves(fixtureEvents(2), loss);
      const page = await browser.newPage({ viewport: { width, height: 600 } });
      await page.setContent('<body style="margin: 0"><div id="chart"></div>');
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve('plotly.js-dist/plotly.js') });
      await page.evaluate(
        `Plotly.newPlot('chart', ${JSON.stringify(data)}, ${JSON.stringify(layout)}, { responsive: true })`,
      );
      const titles = await boxesOf(page, '.annotation, .g-ytitle, .g-y2title, .g-y3title');
      const panels = await boxesOf(page, '.nsewdrag');
      await page.close();
      // Three titles of panels, three of axes, and one of each iteration in each panel.
      expect([titles.length, panels.length]).toEqual([12, 3]);
      expect(overlaps(titles)).toEqual([]);
      expect(overlaps(titles, panels)).toEqual([]);
    },
    30_000,
  );
});
