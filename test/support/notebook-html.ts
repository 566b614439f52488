import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROJECT, type Lab } from './jupyterlab.js';

/** What a notebook shows as a page of static HTML. */
export interface StaticFacts {
  /** Charts as still pictures. */
  charts: number;
  /** Spectrograms of recordings. */
  spectrograms: number;
  /** Durations of all players in seconds; NaN where a player cannot play. */
  audioSeconds: number[];
}

/** Converts a notebook with its outputs to HTML by nbconvert and opens that in the browser. */
export async function readStaticPage(lab: Lab, name: string): Promise<StaticFacts> {
  const folder = mkdtempSync(join(tmpdir(), 'speech-dpo-html-'));
  try {
    const python = join(PROJECT, '.venv', 'bin', 'python');
    const options = ['--to', 'html', '--log-level', 'ERROR', '--output-dir', folder];
    execFileSync(python, ['-m', 'nbconvert', ...options, join(PROJECT, 'notebooks', name)]);
    const page = await lab.openPage(pathToFileURL(join(folder, name.replace('.ipynb', '.html'))).href);
    const facts = (await page.evaluate(COLLECT)) as StaticFacts;
    await page.close();
    return facts;
  } finally {
    rmSync(folder, { recursive: true });
  }
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
