/** A report in Chromium: on a phone, in dark, wide again, and where no scripts run. */
import { existsSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { writeReport } from '../../lib/view/report.js';
import { boxesOf, overlaps } from '../support/boxes.js';
import { CHROMIUM, CHROMIUM_ARGUMENTS } from '../support/chromium.js';
import { fixtureEvents, writeFixtureRun } from './fixture-run.js';

/** Where it is asked for, the browser may not be missing. */
const isAsked = process.env.SPEECH_DPO_REQUIRE_BROWSER === '1';
const isThere = existsSync(CHROMIUM);
if (!isThere && !isAsked)
  console.warn(
    `Skipped: the report in a browser. Chromium is not at ${CHROMIUM}; CHROMIUM sets its path, SPEECH_DPO_REQUIRE_BROWSER=1 demands it.`,
  );

const PHONE = { width: 390, height: 844 };
/** Just wide enough for panels side by side. */
const WIDE = { width: 760, height: 900 };
const CHARTS = 6;
/** Of charts: rewards has two panels, guards two, training three, the others one. */
const PANELS = 10;

const luminance = ([red, green, blue]: number[]) => (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;

/** Of the element's style, 0 (black) to 1. */
async function lightness(page: Page, selector: string, property: string): Promise<number> {
  const color = await page.evaluate(
    `getComputedStyle(document.querySelector(${JSON.stringify(selector)})).getPropertyValue(${JSON.stringify(property)})`,
  );
  return luminance(String(color).match(/\d+/g)!.slice(0, 3).map(Number));
}

const isScrolledSideways = (page: Page) => page.evaluate('document.documentElement.scrollWidth > innerWidth');

describe.skipIf(!isThere && !isAsked)('a report in a browser', () => {
  let browser: Browser;
  let address: string;
  const errors: string[] = [];

  beforeAll(async () => {
    const guarded = (iteration: number): RunEvent => ({
      type: 'guarded',
      iteration,
      guards: (['dnsmos', 'fidelity'] as const).map((figure) => {
        const mean = 0.9 - 0.01 * iteration;
        return { figure, mean, promptMeans: [mean, mean], missing: 0 };
      }),
      warnings: [],
    });
    const run = await writeFixtureRun({
      events: [...fixtureEvents(3), guarded(-1), guarded(0), guarded(1), guarded(2)],
    });
    address = pathToFileURL(await writeReport(run.outputDirectory)).href;
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: CHROMIUM_ARGUMENTS });
    return () => {
      rmSync(run.root, { recursive: true });
    };
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  async function open(options: { scripts: boolean; dark: boolean }): Promise<Page> {
    const context = await browser.newContext({
      viewport: PHONE,
      colorScheme: options.dark ? 'dark' : 'light',
      javaScriptEnabled: options.scripts,
    });
    const page = await context.newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(address);
    return page;
  }

  it('shows one panel a row on a phone, several on a wide page, changes its colours with the system, and sorts its prompts', async () => {
    const page = await open({ scripts: true, dark: false });
    await page.waitForFunction("document.querySelectorAll('.still').length === 0");
    const panels = await boxesOf(page, '.chart .nsewdrag');
    expect(panels).toHaveLength(PANELS);
    expect(overlaps(panels)).toEqual([]);
    for (const { left, right } of panels) expect([left >= 0, right <= PHONE.width]).toEqual([true, true]);
    // One a row: none stands beside another.
    expect(overlaps(panels.map((box) => ({ ...box, left: 0, right: PHONE.width })))).toEqual([]);
    const texts =
      '.chart .annotation, .chart .g-xtitle, .chart .g-x2title, .chart .g-x3title, .chart .legend';
    const onPhone = await boxesOf(page, texts);
    // A title above each panel but the two of the histograms, and one below each.
    expect(onPhone.length).toBeGreaterThan(2 * PANELS - 2);
    expect(overlaps(onPhone)).toEqual([]);
    const buttons = await boxesOf(page, '.chart .modebar-group');
    expect(buttons.length).toBeGreaterThan(CHARTS);
    expect(overlaps(buttons, onPhone)).toEqual([]);
    const offers = await page.evaluate(
      "Array.from(document.querySelectorAll('.chart .modebar-btn'), (button) => button.dataset.title)",
    );
    expect(offers).toContain('Zoom');
    // It would send the run's figures to plotly's makers.
    expect(offers).not.toContain('Share chart...');
    expect(await isScrolledSideways(page)).toBe(false);
    expect(await lightness(page, 'body', 'background-color')).toBeGreaterThan(0.99);
    expect(await lightness(page, '.chart .gtitle, .chart .annotation text', 'fill')).toBeLessThan(0.3);

    await page.emulateMedia({ colorScheme: 'dark' });
    const isRedrawn =
      "Array.from(document.querySelectorAll('.chart .main-svg:first-child'), (svg) => svg.style.background).every((color) => color !== 'rgb(255, 255, 255)')";
    await page.waitForFunction(isRedrawn);
    expect(await lightness(page, 'body', 'background-color')).toBeLessThan(0.2);
    expect(await lightness(page, '.chart .annotation text', 'fill')).toBeGreaterThan(0.7);
    expect(await lightness(page, '.chart .main-svg', 'background-color')).toBeLessThan(0.2);

    await page.setViewportSize(WIDE);
    await page.waitForFunction(
      "(() => { const [a, b] = document.querySelectorAll('#chart-training .nsewdrag'); return a.getBoundingClientRect().top === b.getBoundingClientRect().top; })()",
    );
    const wide = await boxesOf(page, '.chart .nsewdrag');
    expect([wide.length, overlaps(wide)]).toEqual([PANELS, []]);
    expect(overlaps(wide, await boxesOf(page, '.chart .g-y2title, .chart .g-y3title'))).toEqual([]);
    expect(overlaps(await boxesOf(page, '.chart .modebar-group'), await boxesOf(page, texts))).toEqual([]);
    expect(await isScrolledSideways(page)).toBe(false);

    const column = async (i: number) =>
      (await page.evaluate(
        `Array.from(document.querySelector('.sorts').tBodies[0].rows, (row) => row.cells[${i}].textContent)`,
      )) as string[];
    expect(await column(0)).toHaveLength(6);
    await page.click('.sorts th:nth-child(2) button');
    const means = (await column(1)).map(Number);
    expect(means).toEqual(means.toSorted((a, b) => a - b));
    expect(new Set(means).size).toBeGreaterThan(1);
    await page.click('.sorts th:nth-child(2) button');
    expect((await column(1)).map(Number)).toEqual(means.toReversed());
    expect(errors).toEqual([]);
  }, 60_000);

  it('shows still pictures where no scripts run, in the colours of the system', async () => {
    const page = await open({ scripts: false, dark: true });
    expect(await boxesOf(page, '.still.narrow svg')).toHaveLength(CHARTS);
    expect(await boxesOf(page, '.still.wide svg')).toEqual([]);
    const titles = await boxesOf(page, '.still.narrow text[font-weight=bold]');
    expect(titles.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['held-out prompts', 'training loss']),
    );
    expect(overlaps(titles.filter(({ what }) => !what.startsWith('mean')))).toEqual([]);
    expect(await isScrolledSideways(page)).toBe(false);
    expect(await lightness(page, '.still.narrow svg > rect', 'fill')).toBeLessThan(0.2);
    expect(await lightness(page, '.still.narrow svg', 'fill')).toBeGreaterThan(0.7);
    await page.setViewportSize(WIDE);
    expect(await boxesOf(page, '.still.wide svg')).toHaveLength(CHARTS);
    expect(await boxesOf(page, '.still.narrow svg')).toEqual([]);
  }, 60_000);
});
