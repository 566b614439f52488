import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPackageRoot } from '../package-root.js';
import { darkColors } from './dark-colors.js';
import { escapeHtml, scriptJson } from './escape.js';
import { CHART_CONFIG, type Figure } from './figure.js';
import { NARROW_CHART_PIXELS, NARROW_PIXELS, narrowLayout } from './narrow-layout.js';
import { figureSvg } from './svg/figure-svg.js';

const CONFIG = {
  ...CHART_CONFIG,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
};

const IS_NARROW = `(max-width: ${NARROW_PIXELS - 0.02}px)`;
const IS_DARK = '(prefers-color-scheme: dark)';

/**
 * The place where a page shows a figure: still pictures, for wide and for narrow pages, until {@link plotlyScripts} draws the live chart
 * there. They stay where no scripts run.
 *
 * @param widthPixels that the picture is drawn for on a wide page
 */
export function figurePlace(id: string, figure: Figure, caption: string, widthPixels?: number): string {
  const name = escapeHtml(id);
  const narrow = { data: figure.data, layout: narrowLayout(figure) };
  return `<figure><div class="chart" id="${name}"></div>
<div class="still wide">${figureSvg(figure, widthPixels, `${name}-w`)}</div>
<div class="still narrow">${figureSvg(narrow, NARROW_CHART_PIXELS, `${name}-n`)}</div>
<figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/** The style sheet of {@link figurePlace}: which picture is seen, and in which colours. */
export function figureStyle(figures: readonly Figure[]): string {
  const dark = Object.entries(darkColors(figures)).map(
    ([light, color]) =>
      `.still [fill="${light}"] { fill: ${color}; } .still [stroke="${light}"] { stroke: ${color}; }`,
  );
  return `.still svg { display: block; width: 100%; height: auto; }
.still.narrow { display: none; }
.chart .modebar-btn:focus-visible { outline: 2px solid !important; }
@media ${IS_NARROW} { .still.wide { display: none; } .still.narrow { display: block; } }
@media ${IS_DARK} {
${dark.join('\n')}
}`;
}

/**
 * The scripts that draw all figures of a page, by the id of their place, and draw them again where the page becomes narrow or dark.
 * plotly.js comes inside, compressed (2.6 MB where the plain script has 10), so the page needs no network; a browser without
 * DecompressionStream (before 2023) keeps the still pictures and says why.
 */
export async function plotlyScripts(figures: Record<string, Figure>): Promise<string> {
  const content = Object.entries(figures).map(([id, figure]) => [
    id,
    { ...figure, narrow: narrowLayout(figure) },
  ]);
  return `<script type="application/json" id="figures">${scriptJson(Object.fromEntries(content))}</script>
<script type="application/octet-stream" id="plotly">${await packedPlotly()}</script>
<script>
(async () => {
  const figures = JSON.parse(document.getElementById('figures').textContent);
  const darkColors = ${scriptJson(darkColors(Object.values(figures)))};
  const [isNarrow, isDark] = [${scriptJson(IS_NARROW)}, ${scriptJson(IS_DARK)}].map((query) => matchMedia(query));
  const darken = (value, key = '') => {
    if (typeof value === 'string') return key.endsWith('color') ? (darkColors[value] ?? value) : value;
    if (Array.isArray(value)) return value.map((each) => darken(each));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, darken(each, name)]));
  };
  const draw = async (id) => {
    const { data, layout, narrow } = figures[id];
    // plotly.js writes into what it is given.
    const figure = structuredClone({ data, layout: isNarrow.matches ? narrow : layout });
    const shown = isDark.matches ? darken(figure) : figure;
    await Plotly.react(id, shown.data, shown.layout, ${scriptJson(CONFIG)});
    for (const still of document.getElementById(id).parentElement.querySelectorAll('.still')) still.remove();
  };
  const drawAll = async () => {
    for (const id of Object.keys(figures)) await draw(id);
  };
  try {
    const packed = Uint8Array.from(atob(document.getElementById('plotly').textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    const script = document.createElement('script');
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    await drawAll();
    for (const query of [isNarrow, isDark]) query.addEventListener('change', drawAll);
  } catch (error) {
    const message = 'The chart above is a still picture, since the live one could not be drawn: ' + error.message;
    for (const chart of document.querySelectorAll('.chart:empty')) chart.parentElement.querySelector('figcaption').prepend(message + '. ');
  }
})();
</script>`;
}

/** plotly.js as base64 of gzip, which `npm run build` packs: that takes most of a second, and here it would be of every run. */
function packedPlotly(): Promise<string> {
  return readFile(join(findPackageRoot(), 'dist', 'lib', 'view', 'plotly.js.gz'), 'base64');
}
