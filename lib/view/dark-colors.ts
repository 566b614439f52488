/** What becomes of a chart's colours on a dark page, and where nobody knows which it will be. */
import { COLORS, translucent, type Figure } from './figure.js';

/** The colours of charts, and those that take their places on the report's dark page. */
const DARK: Record<string, string> = {
  '#ffffff': '#12161c',
  [COLORS.text]: '#e6ebf0',
  [COLORS.faintText]: '#9aa6b2',
  [COLORS.grid]: '#252c35',
  [COLORS.axis]: '#4b5663',
  [COLORS.before]: '#a3abb3',
  [COLORS.after]: '#3d9fe6',
  [COLORS.chosen]: '#27bd90',
  [COLORS.rejected]: '#f28a3d',
  '#56b4e9': '#a9dcf9',
  '#4d4d4d': '#d0d6dc',
};

/** Greys that are told apart from white and from black, and grounds that show what is below them. */
const ANY_GROUND: Record<string, string> = {
  [COLORS.text]: '#757575',
  [COLORS.faintText]: '#757575',
  [COLORS.grid]: 'rgba(128, 128, 128, 0.25)',
  [COLORS.axis]: 'rgba(128, 128, 128, 0.6)',
  '#4d4d4d': '#757575',
};

const CLEAR = 'rgba(0, 0, 0, 0)';

/** The colours that the figures and their still pictures use, each with the one that takes its place on a dark page. */
export function darkColors(figures: readonly Figure[]): Record<string, string> {
  const used = new Set<string>(['#ffffff', COLORS.text, COLORS.grid, COLORS.axis, COLORS.after]);
  mapColors(figures, (color) => {
    used.add(color);
    return color;
  });
  const places = [...used].map((color): [string, string] => [color, darkColor(color)]);
  return Object.fromEntries(places.filter(([light, dark]) => dark !== light));
}

function darkColor(color: string): string {
  for (const [light, dark] of Object.entries(DARK)) {
    if (color === light) return dark;
    const opacity = /, ([\d.]+)\)$/.exec(color)?.[1];
    if (opacity !== undefined && color === translucent(light, Number(opacity)))
      return translucent(dark, Number(opacity));
  }
  return color;
}

/** The figure as it is read on white and on black, where a viewer's theme decides on the ground: text in grey, no ground of its own. */
export function onAnyGround({ data, layout }: Figure): Figure {
  const recolored = mapColors({ data, layout }, (color) => ANY_GROUND[color] ?? color) as Figure;
  return {
    ...recolored,
    layout: {
      ...recolored.layout,
      paper_bgcolor: CLEAR,
      plot_bgcolor: CLEAR,
      // A box over the chart has its own ground.
      hoverlabel: layout.hoverlabel,
    },
  };
}

/** A copy in which every value of a key that names a colour is another one. */
function mapColors(value: unknown, change: (color: string) => string, key = ''): unknown {
  if (typeof value === 'string') return /color$/.test(key) ? change(value) : value;
  if (Array.isArray(value)) return value.map((each) => mapColors(each, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, mapColors(each, change, name)]),
  );
}
