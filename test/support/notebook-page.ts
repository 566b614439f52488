import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

/** What a page shows of a notebook that was run from top to bottom. */
export interface NotebookFacts {
  seconds: number;
  /** Error outputs and what was written to stderr. */
  errors: string[];
  /** How often a progress bar showed another value than before. */
  progressMoves: number;
  /** Of the cells that showed a bar, the one that waited longest for it: seconds from its start. */
  slowestBarSeconds: number;
  /** Plotly charts drawn. */
  charts: number;
  /** Durations of all players in seconds; NaN where a player cannot play. */
  audioSeconds: number[];
}

/** Runs all cells and waits for the last one. */
export async function runAllCells(page: Page, timeoutMs: number): Promise<NotebookFacts> {
  const startedMs = performance.now();
  await watchProgress(page);
  await page.evaluate(`
    window.runAll = 'running';
    void window.jupyterapp.commands.execute('notebook:run-all-cells').then(
      () => { window.runAll = 'done'; },
      (error) => { window.runAll = String(error); });
  `);
  await page.waitForFunction("window.runAll !== 'running'", null, { timeout: timeoutMs });
  const seconds = (performance.now() - startedMs) / 1000;
  // Charts are drawn, and players read their lengths, a moment after their outputs arrive.
  await page.waitForTimeout(1500);
  const shown = (await page.evaluate(COLLECT)) as Omit<NotebookFacts, 'seconds'>;
  return { seconds, ...shown };
}

/** Starts all cells, presses the stop button while a bar of that job is there, and returns the seconds until no cell runs. */
export async function stopWhileRunning(page: Page, job: string, timeoutMs: number): Promise<number> {
  await watchProgress(page);
  await page.evaluate(
    "void window.jupyterapp.commands.execute('notebook:run-all-cells').catch(() => undefined)",
  );
  const bar = `[...document.querySelectorAll('.jp-OutputArea progress')]
    .some(({ parentElement }) => parentElement.textContent.includes(${JSON.stringify(job)}))`;
  await page.waitForFunction(bar, null, { timeout: timeoutMs, polling: 20 });
  const pressedMs = performance.now();
  await page.evaluate("window.jupyterapp.commands.execute('notebook:interrupt-kernel')");
  const noneRuns =
    "![...document.querySelectorAll('.jp-InputPrompt')].some((prompt) => prompt.textContent.includes('*'))";
  await page.waitForFunction(noneRuns, null, { timeout: timeoutMs, polling: 20 });
  return (performance.now() - pressedMs) / 1000;
}

/** Runs code as the next cell would; the reply's status, "ok" where it ran. */
export function execute(page: Page, code: string): Promise<string> {
  const request = `${KERNEL}.requestExecute({ code: ${JSON.stringify(code)} }).done.then(({ content }) => content.status)`;
  return page.evaluate(request);
}

/** Puts code into the first code cells, as many as there are, and runs all cells; what those show. */
export function runInstead(page: Page, codes: readonly string[]): Promise<string[]> {
  return page.evaluate(`(async () => {
    await window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
    const codes = ${JSON.stringify(codes)};
    const { content } = window.jupyterapp.shell.currentWidget;
    const cells = content.widgets.filter(({ model }) => model.type === 'code');
    cells.forEach(({ model }, i) => { model.sharedModel.source = codes[i] ?? ''; });
    await window.jupyterapp.commands.execute('notebook:run-all-cells').catch(() => undefined);
    return cells.slice(0, codes.length).map(({ outputArea }) => outputArea.node.textContent.trim());
  })()`);
}

/** Runs code as the next cell would; what it printed on standard output. */
export function collectText(page: Page, code: string): Promise<string> {
  return page.evaluate(`(async () => {
    const future = ${KERNEL}.requestExecute({ code: ${JSON.stringify(code)} });
    let text = '';
    future.onIOPub = ({ content }) => { if (content.name === 'stdout') text += content.text; };
    await future.done;
    return text;
  })()`);
}

const KERNEL = 'window.jupyterapp.shell.currentWidget.sessionContext.session.kernel';

/** Pictures of the whole notebook, one screen after the other, for a person to look at. */
export async function takePictures(page: Page, folder: string, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.evaluate('window.jupyterapp.shell.collapseLeft?.()');
  const { height, screen } = (await page.evaluate(`(() => {
    const panel = ${SCROLLED};
    return { height: panel.scrollHeight, screen: panel.clientHeight };
  })()`)) as { height: number; screen: number };
  for (let top = 0, i = 0; top < height; top += screen - 40, i++) {
    await page.evaluate(`${SCROLLED}.scrollTop = ${top}`);
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(folder, `${name}-${String(i).padStart(2, '0')}.png`) });
  }
}

const SCROLLED =
  "(document.querySelector('.jp-WindowedPanel-outer') ?? document.querySelector('.jp-Notebook'))";

/** Counts from here on; what the notebook was saved with is cleared before. */
async function watchProgress(page: Page): Promise<void> {
  await page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')");
  await page.evaluate(`
    window.progressMoves = 0;
    window.slowestBarSeconds = 0;
    let shown = '';
    let running = -1;
    let startedMs = 0;
    setInterval(() => {
      const cells = [...document.querySelectorAll('.jp-CodeCell')];
      // One cell after the other: the first without a number is the one that runs.
      const first = cells.findIndex((cell) => !/[0-9]/.test(cell.querySelector('.jp-InputPrompt').textContent));
      if (first !== running) {
        running = first;
        startedMs = performance.now();
      }
      const bars = [...document.querySelectorAll('.jp-OutputArea progress')];
      if (startedMs > 0 && cells[running]?.querySelector('.jp-OutputArea progress')) {
        window.slowestBarSeconds = Math.max(window.slowestBarSeconds, (performance.now() - startedMs) / 1000);
        startedMs = 0;
      }
      const now = bars.map((bar) => bar.parentElement.textContent.split('/')[0] + bar.value).join();
      if (now === shown || now === '') return;
      shown = now;
      window.progressMoves += 1;
    }, 40);
  `);
}

const COLLECT = `(async () => {
  const outputs = (selector) => [...document.querySelectorAll('.jp-OutputArea ' + selector)];
  const audioSeconds = [];
  for (const player of outputs('audio')) {
    if (!(player.duration > 0)) {
      player.load();
      await new Promise((resolve) => {
        player.onloadedmetadata = resolve;
        player.onerror = resolve;
        setTimeout(resolve, 3000);
      });
    }
    audioSeconds.push(player.duration);
  }
  return {
    errors: outputs('[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]')
      .map((element) => element.textContent.slice(0, 500)),
    progressMoves: window.progressMoves,
    slowestBarSeconds: window.slowestBarSeconds,
    charts: outputs('.js-plotly-plot').filter((chart) => chart.querySelector('.main-svg')).length,
    audioSeconds,
  };
})()`;
