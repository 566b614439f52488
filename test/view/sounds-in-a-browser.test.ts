/** Sounds in pages and notebooks, in Chromium: one at a time, at one position, sought and found by their reward. */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeWav } from '../../lib/audio/wav.js';
import type { AudioExample } from '../../lib/experiment/audio-examples.js';
import { players } from '../../lib/notebook/listen.js';
import { writeReport } from '../../lib/view/report.js';
import { CHROMIUM, CHROMIUM_ARGUMENTS } from '../support/chromium.js';
import { SAMPLE_RATE_HZ, tone, writeFixtureRun } from './fixture-run.js';

/** Without a browser nobody can listen; where it is asked for, it may not be missing. */
const isAsked = process.env.SPEECH_DPO_REQUIRE_BROWSER === '1';
const isThere = existsSync(CHROMIUM) || isAsked;
if (!isThere)
  console.warn(
    `Skipped: sounds in a browser. Chromium is not at ${CHROMIUM}; CHROMIUM sets its path, SPEECH_DPO_REQUIRE_BROWSER=1 demands it.`,
  );

const INSTRUCTION = 'Make it "faster" & louder.';
const REWARDS = {
  original: { best: 1.9, median: 1.2, worst: 0.5 },
  trained: { best: 3.9, median: 3.2, worst: 2.4 },
};
/** Of one held-out prompt. The trained policy's samples are 3 s long, all others 2 s. */
const examples = (Object.keys(REWARDS) as (keyof typeof REWARDS)[]).flatMap((role) =>
  (['best', 'median', 'worst'] as const).map((standing, sample): AudioExample => ({
    file: `audio/test_0_${role}_${standing}.wav`,
    role,
    split: 'test',
    prompt: 0,
    instruction: INSTRUCTION,
    reward: REWARDS[role][standing],
    sample,
    standing,
    codes: [3, 1, 4, sample],
  })),
);

let browser: Browser;
let root: string;
/** The report; drawing its charts takes long enough to do it once. */
let page: Page;
const errors: string[] = [];

beforeAll(async () => {
  if (!isThere) return;
  const made = await writeFixtureRun({ examples });
  root = made.root;
  for (const { file, role } of examples)
    await writeFile(
      join(made.outputDirectory, file),
      encodeWav(tone(role === 'trained' ? 3 : 2), SAMPLE_RATE_HZ),
    );
  const report = await writeReport(made.outputDirectory);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [...CHROMIUM_ARGUMENTS, '--autoplay-policy=no-user-gesture-required'],
  });
  page = await openPage(pathToFileURL(report).href);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  if (root) await rm(root, { recursive: true });
});

async function openPage(address: string): Promise<Page> {
  const opened = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  opened.on('pageerror', (error) => errors.push(error.message));
  await opened.goto(address);
  return opened;
}

const cardOf = (role: string, standing: string) => `[data-file="test_0_${role}_${standing}.wav"]`;

/** Whether a card's player plays, and where it is. */
function stateOf(on: Page, card: string): Promise<{ isPlaying: boolean; seconds: number }> {
  return on.locator(`${card} audio`).evaluate((audio: HTMLAudioElement) => ({
    isPlaying: !audio.paused,
    seconds: audio.currentTime,
  }));
}

async function playFrom(on: Page, card: string, seconds: number): Promise<void> {
  await on.locator(`${card} audio`).evaluate(async (audio: HTMLAudioElement, at) => {
    audio.currentTime = at;
    await audio.play();
  }, seconds);
}

it.runIf(isThere)('a report names its sounds, plays one at a time and switches at one position', async () => {
  const labels = await page.locator('audio').evaluateAll((all) => all.map((each) => each.ariaLabel));
  expect(labels).toContain(
    `held-out prompt 0, “${INSTRUCTION}”: trained policy, median, sample 2, reward 3.20`,
  );
  expect(new Set(labels).size).toBe(examples.length);
  const widths = await page
    .locator('audio')
    .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().width));
  for (const width of widths) expect(width).toBeGreaterThan(300);

  const [a, b] = [cardOf('original', 'best'), cardOf('trained', 'best')];
  const other = cardOf('original', 'worst');
  await playFrom(page, other, 0);
  await playFrom(page, a, 1);
  expect((await stateOf(page, other)).isPlaying).toBe(false);
  expect((await stateOf(page, a)).isPlaying).toBe(true);

  // The key, and the row's button back again.
  await page.keyboard.press('x');
  await page.waitForFunction(`!document.querySelector('${b} audio').paused`);
  const [left, entered] = [await stateOf(page, a), await stateOf(page, b)];
  expect(left.isPlaying).toBe(false);
  expect(entered.seconds).toBeGreaterThanOrEqual(left.seconds);
  expect(entered.seconds).toBeLessThan(2.5);
  await page.locator(`.sound-row:has(${a}) .sound-switch`).click();
  await page.waitForFunction(`!document.querySelector('${a} audio').paused`);
  const back = await stateOf(page, a);
  expect(back.seconds).toBeGreaterThanOrEqual((await stateOf(page, b)).seconds);
  expect((await stateOf(page, b)).isPlaying).toBe(false);

  expect(await page.locator(`${a} code`).textContent()).toBe('3 1 4 0');
  expect(await page.locator(`${a} a`).getAttribute('download')).toBe('test_0_original_best.wav');
});

it.runIf(isThere)('a click on a spectrogram seeks, on the axis that all of a prompt share', async () => {
  const card = cardOf('original', 'median');
  const plot = page.locator(`${card} .sound-plot`);
  const { width, height } = (await plot.boundingBox())!;
  // The axis is 3 s long, the sound 2 s.
  await plot.click({ position: { x: width / 3, y: height / 2 } });
  expect((await stateOf(page, card)).seconds).toBeCloseTo(1, 1);
  const playhead = await page.locator(`${card} .sound-playhead`).evaluate(({ style }) => style.left);
  expect(Number.parseFloat(playhead)).toBeCloseTo(100 / 3, 0);
  await plot.click({ position: { x: width - 2, y: height / 2 } });
  expect((await stateOf(page, card)).seconds).toBeCloseTo(2, 1);
  const { width: drawn } = (await page.locator(`${card} img`).boundingBox())!;
  expect(drawn / width).toBeCloseTo(2 / 3, 2);
});

it.runIf(isThere)('a click on the reward chart plays the sample with that reward', async () => {
  await page.waitForFunction("document.getElementById('chart-rewards').on");
  /** Where a reward stands on the chart after an iteration. */
  const click = async (iteration: number, reward: number) => {
    await page.locator('#chart-rewards').scrollIntoViewIfNeeded();
    const [x, y] = (await page.evaluate(`(() => {
      const { xaxis, yaxis } = document.getElementById('chart-rewards')._fullLayout;
      const { left, top } = document.getElementById('chart-rewards').getBoundingClientRect();
      return [left + xaxis._offset + xaxis.d2p(${iteration}), top + yaxis._offset + yaxis.d2p(${reward})];
    })()`)) as [number, number];
    await page.mouse.move(x - 3, y);
    await page.mouse.move(x, y, { steps: 3 });
    await page.mouse.click(x, y);
  };
  await click(1, 3.3);
  await page.waitForFunction(`!document.querySelector('${cardOf('trained', 'median')} audio').paused`);
  expect(await page.textContent('.sound-status')).toMatch(/nearest to 3\.\d\d plays: .*median/);
  await click(0, 2);
  expect(await page.textContent('.sound-status')).toMatch(/^No sound of this policy’s samples on held-out/);
  await click(-1, 0.6);
  await page.waitForFunction(`!document.querySelector('${cardOf('original', 'worst')} audio').paused`);
  expect((await stateOf(page, cardOf('trained', 'median'))).isPlaying).toBe(false);

  // The bars of the distribution: the trained policy's best reward.
  await page.evaluate(`document.getElementById('chart-distribution').scrollIntoView({ block: 'center' })`);
  const bar = page.locator('#chart-distribution .trace.bars').nth(1).locator('.point path').last();
  await bar.hover({ force: true });
  await page.waitForSelector('#chart-distribution .hoverlayer .hovertext');
  await bar.click({ force: true });
  await page.waitForFunction(`!document.querySelector('${cardOf('trained', 'best')} audio').paused`);
});

it.runIf(isThere)('outputs of a notebook share one script, and are plain players without it', async () => {
  const recording = (name: string) => ({ name, samples: tone(2), sampleRateHz: SAMPLE_RATE_HZ });
  const [one, two] = [players([recording('a'), recording('b')]).html, players([recording('c')]).html];
  const notebook = await openPage('about:blank');
  // As JupyterLab does it: markup, then its scripts once more, which run as they enter the notebook.
  await notebook.evaluate(
    (outputs) => {
      for (const html of outputs) {
        const output = document.createElement('div');
        output.innerHTML = html;
        for (const script of Array.from(output.querySelectorAll('script')))
          script.replaceWith(
            Object.assign(document.createElement('script'), { textContent: script.textContent }),
          );
        document.body.append(output);
      }
    },
    [one, two],
  );
  const [a, b, c] = ['a.wav', 'b.wav', 'c.wav'].map((file) => `[data-file="${file}"]`);
  expect(await notebook.locator('.sound-switch').count()).toBe(1);
  expect(await notebook.locator('.sound-playhead').count()).toBe(3);
  await playFrom(notebook, a, 0);
  await playFrom(notebook, c, 0.5);
  expect((await stateOf(notebook, a)).isPlaying).toBe(false);
  // In JupyterLab the key cuts a cell.
  await notebook.keyboard.press('x');
  expect((await stateOf(notebook, c)).isPlaying).toBe(true);
  await playFrom(notebook, a, 1);
  await notebook.locator('.sound-switch').click();
  await notebook.waitForFunction(`!document.querySelector('${b} audio').paused`);
  expect((await stateOf(notebook, b)).seconds).toBeGreaterThanOrEqual(1);
  expect(await notebook.locator(`${a} audio`).getAttribute('aria-label')).toBe('a');
  // What JupyterLab leaves the keys to: the arrow keys of a player seek.
  expect(await notebook.locator('audio[data-lm-suppress-shortcuts]').count()).toBe(3);

  const untrusted = await openPage('about:blank');
  await untrusted.setContent(one.replace(/<script[^]*?<\/script>/g, ''));
  expect(await untrusted.locator('audio[controls]').count()).toBe(2);
  expect(await untrusted.locator('button').count()).toBe(0);
  expect(errors).toEqual([]);
});
