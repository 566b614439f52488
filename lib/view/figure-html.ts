import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { escapeHtml, scriptJson } from './escape.js';
import type { Figure } from './figure.js';

const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
};

/** The place where a page shows a figure; {@link plotlyScripts} fills it. */
export function figurePlaceholder(id: string, caption: string): string {
  return `<figure><div class="chart" id="${escapeHtml(id)}"></div><figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/**
 * The scripts that draw all figures of a page, by the id of their place. plotly.js comes inside, compressed (2.6 MB
 * where the plain script has 10), so the page needs no network; a browser without DecompressionStream (before 2023)
 * shows a sentence instead of the charts.
 */
export async function plotlyScripts(figures: Record<string, Figure>): Promise<string> {
  return `<script type="application/json" id="figures">${scriptJson(figures)}</script>
<script type="application/octet-stream" id="plotly">${await packedPlotly()}</script>
<script>
(async () => {
  const figures = JSON.parse(document.getElementById('figures').textContent);
  try {
    const packed = Uint8Array.from(atob(document.getElementById('plotly').textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    const script = document.createElement('script');
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    for (const [id, { data, layout }] of Object.entries(figures)) await Plotly.newPlot(id, data, layout, ${scriptJson(CONFIG)});
  } catch (error) {
    const message = 'This chart could not be drawn: ' + error.message;
    for (const chart of document.querySelectorAll('.chart:empty')) chart.textContent = message;
  }
})();
</script>`;
}

let packedPlotlyOnce: Promise<string> | undefined;

/** plotly.js as base64 of gzip. Packing takes most of a second, so a process does it once. */
function packedPlotly(): Promise<string> {
  const path = createRequire(import.meta.url).resolve('plotly.js-dist/plotly.js');
  return (packedPlotlyOnce ??= readFile(path)
    .then((script) => promisify(gzip)(script, { level: 9 }))
    .then((packed) => packed.toString('base64')));
}
