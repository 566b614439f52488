/** Figures on pages: laid out for phones, recoloured for dark pages, named and explained. */
import { expect, it } from 'vitest';
import type { Annotation, Layout, LayoutAxis } from 'plotly.js-dist';
import { asBeforeAndAfter } from '../../lib/notebook/checkpoints.js';
import { toBundle } from '../../lib/notebook/show.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import type { RecordedRun } from '../../lib/run/run-files.js';
import { guardCurves, rewardCurves, rewardDistribution, trainingCurves } from '../../lib/view/charts.js';
import { MEAN_BAND } from '../../lib/view/charts/reward-curves.js';
import { darkColors } from '../../lib/view/dark-colors.js';
import { beforeAfterTable, evaluationTable } from '../../lib/view/evaluation-table.js';
import { COLORS, type Figure } from '../../lib/view/figure.js';
import { narrowLayout } from '../../lib/view/narrow-layout.js';
import { captionOf } from '../../lib/view/report/captions.js';
import { pageHead } from '../../lib/view/report/head.js';
import { promptsHtml } from '../../lib/view/report/prompts-section.js';
import { timingTable } from '../../lib/view/report/timing-table.js';
import { bootstrapMean } from '../../lib/run/bootstrap.js';
import { htmlTable } from '../../lib/view/table.js';
import { evaluated, fixtureEvents, metrics } from './fixture-run.js';

const guarded = (iteration: number, dnsmos: number, warnings: string[] = []): RunEvent => ({
  type: 'guarded',
  iteration,
  guards: [
    { figure: 'dnsmos', mean: dnsmos, promptMeans: [dnsmos], missing: 0 },
    { figure: 'silence', mean: 0.1, promptMeans: [0.1], missing: 0 },
  ],
  warnings,
});

const recorded = (events: RunEvent[], parameters: object = {}): RecordedRun => ({
  directories: {
    name: '0601-1200',
    outputDirectory: 'output/0601-1200',
    modelDirectory: 'model_output/0601-1200',
  },
  record: {
    run: '0601-1200',
    state: 'finished',
    seed: 42,
    parameters: parseParameters({ iterations: 2, ...parameters }),
    versions: {},
    startedAt: '2024-06-01T12:00:00.000Z',
    timings: [],
  },
  events,
});

it.each<[string, Figure, number]>([
  ['rewards', rewardCurves(fixtureEvents(2), 'reward'), 2],
  ['training', trainingCurves(fixtureEvents(2)), 3],
])(
  '%s on a phone: one panel below the other, each with its title, its lines and its labels',
  (_, figure, count) => {
    const layout = narrowLayout(figure);
    const axes = layout as Record<string, Partial<LayoutAxis>>;
    const suffixes = ['', '2', '3'].slice(0, count);
    const rows = suffixes.map((suffix) => axes[`yaxis${suffix}`].domain!);
    for (const [i, [bottom, top]] of rows.entries()) {
      expect(axes[`xaxis${suffixes[i]}`].domain).toEqual([0, 1]);
      expect(axes[`yaxis${suffixes[i]}`].showticklabels).not.toBe(false);
      // As high as a panel is readable.
      expect((top - bottom) * (layout.height! - layout.margin!.t! - layout.margin!.b!)).toBeGreaterThan(200);
      expect(bottom).toBeGreaterThanOrEqual(i + 1 < count ? rows[i + 1][1] + 0.05 : 0);
    }
    const tops = rows.map(([, top]) => top);
    const titles = (layout.annotations ?? []).filter(({ text }) => text?.startsWith('<b>'));
    expect(titles.map(({ x, y }) => [x, y])).toEqual(tops.map((top) => [0.5, top]));
    for (const { xref, y0, y1 } of layout.shapes ?? [])
      expect([y0, y1]).toEqual(rows[suffixes.indexOf(String(xref).slice(1))]);
    // One panel stays as it is.
    const single = rewardDistribution(fixtureEvents(2), 'test', 'reward');
    expect(narrowLayout(single)).toBe(single.layout);
  },
);

it('more than three panels stand two in a row, and one below the other on a phone', () => {
  const names = ['nisqa', 'dnsmos', 'fidelity', 'similarity', 'silence'] as const;
  const guards = names.map((figure) => ({ figure, mean: 0.5, promptMeans: [0.5], missing: 0 }));
  const figureOf = (count: number) =>
    guardCurves([{ type: 'guarded', iteration: -1, guards: guards.slice(0, count), warnings: [] }]);
  type Places = { x: number[]; y: number[]; title: (number | string | undefined)[] }[];
  const places = ({ annotations, ...layout }: Partial<Layout>): Places => {
    const axes = layout as Record<string, Partial<LayoutAxis>>;
    return (annotations ?? []).map(({ x, y }, i) => {
      const suffix = i === 0 ? '' : String(i + 1);
      return {
        x: axes[`xaxis${suffix}`].domain!,
        y: axes[`yaxis${suffix}`].domain ?? [0, 1],
        title: [x, y],
      };
    });
  };
  expect(places(figureOf(3).layout).map(({ y }) => y)).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  const five = figureOf(5);
  const columns = [
    [0, 0.45],
    [0.55, 1],
  ];
  const wide = places(five.layout);
  expect(wide.map(({ x }) => x)).toEqual([0, 1, 0, 1, 0].map((column) => columns[column]));
  expect(wide.map(({ y }) => y)).toEqual([0, 0, 2, 2, 4].map((first) => wide[first].y));
  const narrow = places(narrowLayout(five));
  expect(narrow.map(({ x }) => x)).toEqual(Array(5).fill([0, 1]));
  for (const layout of [wide, narrow]) {
    for (const { x, y, title } of layout)
      expect(title).toEqual([expect.closeTo((x[0] + x[1]) / 2, 9), expect.closeTo(y[1], 9)]);
    // The title of a lower panel stands between it and the one above.
    const rows = [...new Map(layout.map(({ y }) => [y[1], y])).values()];
    expect(rows[0][1]).toBe(1);
    expect(rows.at(-1)![0]).toBeCloseTo(0, 9);
    for (const [i, [bottom]] of rows.slice(0, -1).entries())
      expect(rows[i + 1][1]).toBeLessThan(bottom - 0.05);
  }
});

it('the mean has the band of its bootstrap over prompts, where there are 5 or more', () => {
  const before = evaluated(-1, 'test', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], Array<number>(10).fill(1));
  const after = evaluated(0, 'test', [1, 1, 2, 2, 3, 3, 4, 4, 9, 9], Array<number>(10).fill(1));
  const { data } = rewardCurves([before, after], 'reward');
  const low = data.findIndex((trace) => 'name' in trace && trace.name === MEAN_BAND);
  const [highs, lows] = data.slice(low - 1, low + 1).map((trace) => ('y' in trace ? trace.y : []));
  const intervals = [
    [0.5, 2.5, 4.5, 6.5, 8.5],
    [1, 2, 3, 4, 9],
  ].map((means) => bootstrapMean(means));
  expect(lows).toEqual(intervals.map(({ low }) => expect.closeTo(low, 12)));
  expect(highs).toEqual(intervals.map(({ high }) => expect.closeTo(high, 12)));
  const four = evaluated(0, 'test', [1, 1, 2, 2, 3, 3, 4, 4], Array<number>(8).fill(1));
  const names = rewardCurves([before, four], 'reward').data.map((trace) => 'name' in trace && trace.name);
  expect(names).not.toContain(MEAN_BAND);
});

it('colours change, and nothing else: a text stays the text it is', () => {
  const figure = rewardCurves(fixtureEvents(2), COLORS.text);
  const dark = darkColors([figure]);
  expect(dark['#ffffff']).not.toBe('#ffffff');
  expect(Object.keys(dark)).toEqual(
    expect.arrayContaining([COLORS.text, COLORS.after, 'rgba(0, 114, 178, 0.25)']),
  );
  const shown = JSON.stringify(toBundle(figure)['application/vnd.plotly.v1+json']);
  expect(shown).toContain(`"text":"${COLORS.text}"`);
  // No ground of its own, and no text that needs a white one.
  expect(JSON.parse(shown)).toMatchObject({
    layout: {
      paper_bgcolor: 'rgba(0, 0, 0, 0)',
      plot_bgcolor: 'rgba(0, 0, 0, 0)',
      font: { color: '#757575' },
    },
  });
  expect(figure.layout.paper_bgcolor).toBe('#ffffff');
});

it('policies are called by what they are', () => {
  const titles = (events: RunEvent[]) =>
    rewardDistribution(events, 'test', 'reward').data.map((trace) => 'name' in trace && trace.name);
  expect(titles(fixtureEvents(2))).toEqual(['original policy', 'policy after iteration 1']);
  expect(beforeAfterTable(fixtureEvents(2)).columns.map(({ title }) => title)).toEqual([
    '',
    'before (original)',
    'after (iteration 1)',
    'change (95 % CI)',
  ]);
  const called = (policy: string) =>
    fixtureEvents(0).map((event) => (event.type === 'evaluated' ? { ...event, policy } : event));
  const both = asBeforeAndAfter(called('0601-1200, iteration 0'), called('0601-1300, <b>'));
  expect(titles(both)).toEqual(['0601-1200, iteration 0', '0601-1300, &lt;b&gt;']);
  expect(beforeAfterTable(both).columns[1].title).toBe('before (0601-1200, iteration 0)');
  expect(evaluationTable(both, 'test').rows.map(([name]) => name)).toEqual([
    '0601-1200, iteration 0',
    '0601-1300, <b>',
  ]);
});

it('a run that ended between the evaluations of its last policy shows the one before it, and says so', () => {
  const killed = fixtureEvents(2).slice(0, -2);
  expect(killed.at(-1)).toMatchObject({ type: 'evaluated', iteration: 1, split: 'train' });
  const { columns, rows } = beforeAfterTable(killed);
  expect(columns[2].title).toBe('after (iteration 0)');
  expect(
    rows.filter(([name]) => name.startsWith('mean reward')).map(([name, , after]) => [name, after]),
  ).toEqual([
    ['mean reward, held-out prompts', '2.250'],
    ['mean reward, training prompts', '2.500'],
  ]);
  const head = pageHead(recorded(killed), 'reward');
  expect(head).toContain('went from 1.25 to 2.25 with iteration 0, the last one that is evaluated (+1.00');
  expect(pageHead(recorded(fixtureEvents(2)), 'reward')).not.toContain('the last one that is evaluated');
});

it('a table says why it has no intervals', () => {
  const few = [evaluated(-1, 'test', [0, 2], [1, 1]), evaluated(0, 'test', [3, 1], [1, 1])];
  expect(beforeAfterTable(few).columns[3].title).toBe('change (no 95 % CI: fewer than 5 prompts)');
  expect(beforeAfterTable(fixtureEvents(0)).columns[3].title).toBe('change');
});

it('empty charts and tables of a notebook say what to run', () => {
  for (const [chart, cell] of [
    [rewardCurves([], 'reward'), 'run.evaluateOriginal()'],
    [trainingCurves([]), 'run.iterate()'],
    [guardCurves([]), 'run.evaluateOriginal()'],
  ] as const)
    expect((chart.layout.annotations as Annotation[])[0].text).toContain(cell);
  expect(toBundle(evaluationTable([], 'test'))['text/html']).toContain('run.evaluateOriginal()');
});

it('the caption of the training says where loss and margin start, as far as that is known', () => {
  const figure = trainingCurves(fixtureEvents(2));
  const caption = (parameters: object) => captionOf('chart-training', figure, recorded([], parameters));
  expect(caption({ rpoAlpha: 0 })).toContain('the loss starts at ln 2 = 0.693, and the margin at 0');
  expect(caption({ rpoAlpha: 0.05 })).toContain('ln 2 = 0.693, plus 0.05 times the chosen samples’ negative');
  expect(caption({ loss: 'ipo', rpoAlpha: 0 })).not.toContain('ln 2');
  expect(caption({ lossWeights: '0.5', rpoAlpha: 0 })).not.toContain('ln 2');
  expect(caption({ loss: 'simpo', rpoAlpha: 0 })).not.toContain('starts at');
  expect(caption({ reference: 'none', rpoAlpha: 0 })).toBe(
    'Validation pairs are held back from the training. A dotted vertical line stands between two iterations.',
  );
});

it('the caption of the training explains the lines that its chart has', () => {
  const noisy: RunEvent[] = Array.from({ length: 40 }, (_, i) => ({
    type: 'step',
    iteration: 0,
    epoch: 0,
    step: i + 1,
    steps: 40,
    metrics: metrics(i % 3),
  }));
  const caption = captionOf('chart-training', trainingCurves(noisy), recorded([], { reference: 'none' }));
  // One iteration has no line behind it.
  expect(caption).toBe('The running mean is over a tenth of an iteration’s steps.');
});

/** An iteration's mean reward of each prompt is 0 there, by which guards warn; that of all samples has risen. */
const fallenTo0 = (events: readonly RunEvent[], iteration: number): RunEvent[] =>
  events.map((event) =>
    event.type === 'evaluated' && event.iteration === iteration
      ? { ...event, promptMeans: event.promptMeans.map(() => 0) }
      : event,
  );

it('the head has the verdict of the guard', () => {
  const of = (...events: RunEvent[]) => pageHead(recorded([...fixtureEvents(2), ...events]), 'reward');
  expect(of()).not.toContain('guard');
  expect(of(guarded(-1, 3))).not.toContain('guard,');
  expect(of(guarded(-1, 3), guarded(0, 2, ['fell']), guarded(1, 3))).toContain(
    '<div class="tile"><b>no warning</b><span>guard, iteration 1: 2 figures with a limit; 1 warning in earlier iterations</span></div>',
  );
  expect(of(guarded(-1, 3), guarded(0, 2, ['fell']))).toContain('<div class="tile warned"><b>1 warning</b>');
  const fallen = fallenTo0(fixtureEvents(1), 0);
  expect(pageHead(recorded([...fallen, guarded(-1, 3), guarded(0, 2)]), 'reward')).toContain(
    'of which none can warn while the reward has not risen',
  );
  // Of iteration 1 the guards are not measured yet.
  const killed = fallenTo0(fixtureEvents(2), 1);
  expect(pageHead(recorded([...killed, guarded(-1, 3), guarded(0, 3)]), 'reward')).toContain(
    'guard, iteration 0: 2 figures with a limit</span>',
  );
});

it('every prompt stands before and after, the best change first; one without a reward last', () => {
  const events = fixtureEvents(1).map((event) =>
    event.type === 'evaluated' && event.iteration === 0
      ? { ...event, promptMeans: [null, 1, 9, 3, 4, 5] }
      : event,
  );
  const [table] = promptsHtml(events).split('</table>');
  const rows = Array.from(table.matchAll(/<tr>(<td.*?)<\/tr>/g), ([, row]) =>
    Array.from(row.matchAll(/<td data-value="([^"]*)"/g), ([, value]) => value),
  );
  expect(rows.map(([prompt]) => prompt)).toEqual(['2', '5', '4', '3', '1', '0']);
  expect(rows[0]).toEqual(['2', '1', '9', '8']);
  expect(rows[5]).toEqual(['0', '1', '', '']);
  expect(table.match(/class="slope better"/g)).toHaveLength(4);
  expect(table.match(/class="slope worse"/g)).toHaveLength(1);
  const asked = { test: ['a', 'b', 'Louder & <slower>', 'd', 'e', 'f'], train: [] };
  expect(promptsHtml(events, asked)).toContain(
    '<td data-value="2">2</td><td data-value="Louder &amp; &lt;slower&gt;" class="words">Louder &amp; &lt;slower&gt;</td>',
  );
  expect(promptsHtml(fixtureEvents(0))).toBe('');
});

it('the times have those of the training', () => {
  const saved = (iteration: number) => ({ event: 'saved', iteration, seconds: 0.5, trainingSeconds: 60 });
  const { rows } = timingTable([
    { event: 'evaluated', iteration: -1, split: 'test', seconds: 2 },
    saved(0),
    saved(1),
    { event: 'finished', seconds: 130 },
  ]);
  expect(rows).toEqual([
    ['evaluate', 'original', 'held-out', '2.0 s'],
    ['train', 'iteration 0', '', '1 min 00 s'],
    ['save', 'iteration 0', '', '0.5 s'],
    ['train', 'iteration 1', '', '1 min 00 s'],
    ['save', 'iteration 1', '', '0.5 s'],
    ['train, all iterations', '', '', '2 min 00 s'],
    ['the whole run', '', '', '2 min 10 s'],
  ]);
});

it('names are not broken in tables, but for very long ones', () => {
  const html = htmlTable({
    columns: [{ title: 'run' }],
    rows: [['1128-1845'], ['held-out prompts'], [`/a/${'folder/'.repeat(8)}`]],
  });
  const styles = Array.from(html.matchAll(/<td style="([^"]*)"/g), ([, style]) => style);
  expect(styles[0]).toContain('white-space:nowrap');
  expect(styles[1]).toBe('text-align:left');
  expect(styles[2]).toContain('overflow-wrap:anywhere');
});
