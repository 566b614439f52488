import type { Figure } from '../figure.js';
import { chartText, widthOf } from './chart-text.js';
import type { Trace } from './figure-parts.js';
import { legendEntries } from './traces.js';

const ROW_PIXELS = 20;

/** A picture's legend: its entries one after the other, in as many rows as they need. */
export function placeLegend(traces: readonly Trace[], widthPixels: number) {
  const entries = legendEntries(traces);
  let [row, column] = [0, 0];
  const places = entries.map(({ name }) => {
    const width = Math.round(50 + widthOf(name));
    if (column > 0 && column + width > widthPixels) [row, column] = [row + 1, 0];
    const place = { row, column };
    column += width;
    return place;
  });
  const heightPixels = entries.length > 0 ? (row + 1) * ROW_PIXELS + 6 : 0;
  return {
    heightPixels,
    draw: (left: number, top: number) =>
      entries
        .map(({ name, symbol }, i) => {
          const { row: atRow, column: atColumn } = places[i];
          const transform = `translate(${left + atColumn} ${top + atRow * ROW_PIXELS + 10})`;
          return `<g transform="${transform}">${symbol}<text x="28" y="4">${chartText(name)}</text></g>`;
        })
        .join(''),
  };
}

/** Height that the legend of these traces takes below a plot of that width, in pixels. */
export function legendHeight(data: Figure['data'], widthPixels: number): number {
  return placeLegend(data as unknown as Trace[], widthPixels).heightPixels;
}
