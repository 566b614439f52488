import type { Data, ScatterData } from 'plotly.js-dist';
import { describe, expect, it } from 'vitest';
import { hingeLoss, sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { lossNames, namedLoss } from '../../lib/dpo/losses/named.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import {
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
} from '../../lib/view/charts.js';
import type { Named } from '../../lib/dpo/preference-loss.js';
import { histogram } from '../../lib/view/charts/distribution.js';
import { MEAN_BAND } from '../../lib/view/charts/reward-curves.js';
import type { Figure } from '../../lib/view/figure.js';
import { fixtureEvents, metrics } from './fixture-run.js';

const LOSS = parseParameters({});

function traces(figure: Figure, name: string): Partial<ScatterData>[] {
  return figure.data.filter(
    (trace: Data): trace is Partial<ScatterData> => 'name' in trace && trace.name === name,
  );
}

function steps(count: number, iteration = 0): RunEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    type: 'step' as const,
    iteration,
    epoch: 0,
    step: i + 1,
    steps: count,
    metrics: metrics(i),
  }));
}

describe('rewardCurves', () => {
  const figure = rewardCurves(fixtureEvents(2), 'even <tokens>');

  it('draws median, mean and bands of both splits, the original policy first', () => {
    const [test, train] = traces(figure, 'median');
    expect([test.x, test.y]).toEqual([
      [-1, 0, 1],
      [1.25, 2.25, 3.25],
    ]);
    expect(train.y).toEqual([1.5, 2.5, 3.5]);
    expect([test.xaxis, train.xaxis]).toEqual(['x', 'x2']);
    expect(traces(figure, 'mean')[0].y).toEqual([1.25, 2.25, 3.25]);
  });

  it('fills each band between its two lines', () => {
    const band = traces(figure, 'quartiles')[0];
    const upper = figure.data[figure.data.indexOf(band as Data) - 1] as Partial<ScatterData>;
    expect(band.fill).toBe('tonexty');
    expect([band.y, upper.y]).toEqual([
      [0.875, 1.875, 2.875],
      [1.625, 2.625, 3.625],
    ]);
  });

  it('has a band of the mean where every evaluation has five prompts with a reward', () => {
    const isBanded = (unscored: number) => {
      const events = fixtureEvents(2).map((event) =>
        event.type === 'evaluated' && event.split === 'test' && event.iteration === 0
          ? { ...event, promptMeans: event.promptMeans.map((mean, i) => (i < unscored ? null : mean)) }
          : event,
      );
      return traces(rewardCurves(events, ''), MEAN_BAND).some(({ xaxis }) => xaxis === 'x');
    };
    expect([0, 1, 2].map(isBanded)).toEqual([true, true, false]);
  });

  it('names the axes, escaped', () => {
    expect(figure.layout.yaxis?.title).toMatchObject({ text: 'even &lt;tokens&gt;' });
    expect(figure.layout.xaxis?.ticktext).toEqual(['original', '0', '1']);
  });

  it('labels at most six iterations and the original policy', () => {
    expect(rewardCurves(fixtureEvents(30), '').layout.xaxis?.tickvals).toEqual([-1, 4, 9, 14, 19, 24, 29]);
  });
});

describe('trainingCurves', () => {
  it.each<[string, Named | undefined, string]>([
    ['sigmoid', sigmoidLoss(0.1), 'sigmoid loss (nats)'],
    ['hinge', hingeLoss(0.1), 'hinge loss'],
    ['a mixture in nats', namedLoss({ ...LOSS, rpoAlpha: 0.2 }), 'sigmoid + 0.2 sft loss (nats)'],
    ['a mixture of units', namedLoss({ ...LOSS, loss: 'sigmoid,ipo' }), 'sigmoid + ipo loss'],
    ["a person's own", { name: 'exponential' }, 'exponential loss'],
    ['none that is told', undefined, 'loss'],
  ])('names the loss and says "nats" where it is counted in them: %s', (_, loss, axisTitle) => {
    const { layout } = trainingCurves(fixtureEvents(1), loss);
    expect(layout.yaxis?.title).toMatchObject({ text: axisTitle });
  });

  it.each<[string, Named | undefined, string]>([
    ['sigmoid', namedLoss({ ...LOSS }), 'margin (β × nats)'],
    ['sft', namedLoss({ ...LOSS, loss: 'sft' }), 'margin (β × nats)'],
    ['kto', namedLoss({ ...LOSS, loss: 'kto' }), 'margin (β × nats)'],
    ['simpo', namedLoss({ ...LOSS, loss: 'simpo' }), 'margin (β × nats per token)'],
    ['simpo before ipo', namedLoss({ ...LOSS, loss: 'simpo,ipo' }), 'margin (β × nats per token)'],
    ['simpo after sft', namedLoss({ ...LOSS, loss: 'sft,simpo' }), 'margin (β × nats per token)'],
    ["a person's own", { name: 'exponential' }, 'margin'],
    ['none that is told', undefined, 'margin'],
  ])('names the unit of the margins where it is known: %s', (_, loss, axisTitle) => {
    const { layout } = trainingCurves(fixtureEvents(1), loss);
    expect(layout.yaxis2?.title).toMatchObject({ text: axisTitle });
  });

  it('knows the unit of the margins of every loss that has a name', () => {
    const unnamed = lossNames.filter((loss) => namedLoss({ ...LOSS, loss }).rewardKind === undefined);
    expect(unnamed).toEqual([]);
  });

  it('leaves out a panel of what no step has', () => {
    const events = fixtureEvents(1).map((event): RunEvent => {
      if (event.type !== 'step') return event;
      const { 'rewards/margins': _, ...metrics } = event.metrics;
      return { ...event, metrics: metrics as typeof event.metrics };
    });
    const titles = trainingCurves(events).layout.annotations?.map(({ text }) => text);
    expect(titles).toEqual(['<b>training loss</b>', '<b>pairs ranked right</b>']);
  });

  it('places iterations one after the other and breaks the line between them', () => {
    const [loss] = traces(trainingCurves(fixtureEvents(2)), 'training pairs');
    expect(loss.x).toEqual([1, 2, 3, 4, null, 5, 6, 7, 8]);
    expect((loss.y as (number | null)[]).map((y) => y && Math.round(y * 10) / 10)).toEqual([
      0.6,
      0.5,
      0.4,
      0.3,
      null,
      0.6,
      0.5,
      0.4,
      0.3,
    ]);
  });

  it('shows the validation pairs in every panel', () => {
    const lines = traces(trainingCurves(fixtureEvents(2)), 'validation pairs');
    expect(lines.map(({ x, y }) => [x, y])).toEqual([
      [
        [4, null, 8],
        [0.5, null, 0.5],
      ],
      [
        [4, null, 8],
        [0.3, null, 0.3],
      ],
      [
        [4, null, 8],
        [0.75, null, 0.75],
      ],
    ]);
  });

  it('adds a running mean to many steps, shorter windows at the ends', () => {
    const [mean] = traces(trainingCurves(steps(40)), 'training pairs, running mean');
    const y = mean.y as number[];
    expect([y[0], y[1], y[20], y[39]]).toEqual([1, 1.5, 20, 38]);
    expect(traces(trainingCurves(steps(40)), 'training pairs, each step')[0].y).toHaveLength(40);
  });

  it('takes the running mean of the steps that have the metric', () => {
    const events = steps(40).map((event, i) =>
      event.type === 'step' && i % 2 === 1
        ? { ...event, metrics: { loss: event.metrics.loss, 'rewards/chosen': 0 } }
        : event,
    );
    const panels = traces(trainingCurves(events), 'training pairs, running mean');
    const [whole] = traces(trainingCurves(steps(40)), 'training pairs, running mean');
    expect(panels[0].y).toEqual(whole.y);
    const values = events.flatMap((event) =>
      event.type === 'step' ? [event.metrics['rewards/margins']] : [],
    );
    // Two steps either side of the middle: those of even places.
    const even = [18, 20, 22].map((i) => values[i]!);
    expect((panels[1].y as number[])[20]).toBeCloseTo(even.reduce((sum, y) => sum + y) / 3, 12);
  });

  it('thins very many steps but keeps the first and last', () => {
    const [loss] = traces(trainingCurves(steps(10_000)), 'training pairs, each step');
    const x = loss.x as number[];
    expect(x.length).toBeLessThanOrEqual(3001);
    expect([x[0], x[x.length - 1]]).toEqual([1, 10_000]);
  });

  it('leaves room for the steps still to come', () => {
    const events = [...steps(4).slice(0, 2), ...steps(4, 1)];
    expect(traces(trainingCurves(events), 'training pairs')[0].x).toEqual([1, 2, null, 5, 6, 7, 8]);
  });
});

describe('logProbabilityCurves', () => {
  it('draws chosen and rejected apart', () => {
    const figure = logProbabilityCurves(fixtureEvents(1));
    expect(traces(figure, 'chosen, training pairs')[0].y).toEqual([-100, -100, -100, -100]);
    expect(traces(figure, 'rejected, validation pairs')[0].y).toEqual([-120]);
  });
});

describe('distributions', () => {
  it('shows shares of the samples before and after, with their means', () => {
    const figure = rewardDistribution(fixtureEvents(2), 'test', 'reward');
    for (const { y } of figure.data as { y: number[] }[]) {
      expect(y.reduce((total, share) => total + share, 0)).toBeCloseTo(1, 12);
    }
    expect(figure.layout.annotations?.map(({ text }) => text)).toEqual([
      '<b>mean 1.25</b>',
      '<b>mean 3.25</b>',
    ]);
    expect(figure.layout.shapes?.map(({ x0 }) => x0)).toEqual([1.25, 3.25]);
  });

  it('shows the original policy alone until one is trained', () => {
    const figure = lengthDistribution(fixtureEvents(0), 'test');
    expect(figure.data.map((trace) => 'name' in trace && trace.name)).toEqual(['original policy']);
  });

  it('counts every value in one bin, the highest in the last', () => {
    const { edges, shares } = histogram([[0, 0.5, 1], [2.4]]);
    expect(edges[0]).toBe(0);
    expect(edges[edges.length - 1]).toBeGreaterThanOrEqual(2.4);
    expect(shares[0].reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(shares[1][shares[1].length - 1]).toBe(1);
  });

  it('gives whole numbers bins around whole numbers', () => {
    expect(histogram([[1, 2, 2, 3], []])).toEqual({
      edges: [0.5, 1.5, 2.5, 3.5],
      shares: [
        [0.25, 0.5, 0.25],
        [0, 0, 0],
      ],
    });
  });

  it('counts more values than a call can have arguments', () => {
    const { shares } = histogram([Array.from({ length: 200_000 }, (_, i) => i % 10)]);
    expect(shares[0].reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });

  it('draws values that are all the same', () => {
    expect(histogram([[2.5, 2.5]]).shares[0].reduce((a, b) => a + b)).toBe(1);
  });
});
