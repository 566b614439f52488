import { describe, expect, it } from 'vitest';
import {
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  trainingCurves,
  waveforms,
} from '../../lib/view/charts.js';
import { figureSvg } from '../../lib/view/svg/figure-svg.js';
import { paddedRange, roundTicks, tickLabels } from '../../lib/view/svg/scale.js';
import { HOSTILE_INSTRUCTION, fixtureEvents } from './fixture-run.js';

const events = fixtureEvents(3);
const count = (svg: string, element: string) => svg.split(`<${element}`).length - 1;

describe('figures as still pictures', () => {
  it('draw bands, lines, points and a legend for each name once', () => {
    const svg = figureSvg(rewardCurves(events, 'reward'));
    // Three bands (range, quartiles, the mean's interval) in each of two panels.
    expect(count(svg, 'polygon')).toBe(6);
    // The median's four points in each panel; the legend's one.
    expect(count(svg, 'circle')).toBe(9);
    for (const name of ['median', 'mean', 'quartiles', 'min to max', 'original', 'held-out prompts']) {
      expect(svg).toContain(name);
    }
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it.each([
    ['training', trainingCurves(events)],
    ['log-probabilities', logProbabilityCurves(events)],
    ['lengths', lengthDistribution(events, 'test')],
    ['nothing', rewardCurves([], 'reward')],
    ['sound', waveforms([{ name: 'a', samples: Float32Array.of(0, 0.5, -0.25), sampleRateHz: 8000 }])],
  ])('hold only finite numbers: %s', (_, figure) => {
    expect(figureSvg(figure)).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('put a value where its axis says', () => {
    const figure = {
      data: [{ type: 'scatter' as const, mode: 'markers' as const, x: [5], y: [2] }],
      layout: {
        height: 300,
        margin: { l: 100, r: 100, t: 50, b: 50 },
        xaxis: { range: [0, 10] as [number, number] },
        yaxis: { range: [0, 4] as [number, number] },
      },
    };
    expect(figureSvg(figure, 600)).toContain('cx="300.0" cy="150.0"');
  });

  it('show text as text', () => {
    expect(figureSvg(rewardCurves(events, HOSTILE_INSTRUCTION))).not.toContain('<script');
  });
});

it('scales have round ticks and labels of one precision', () => {
  expect(roundTicks([0, 1], 5)).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
  expect(tickLabels([-0.5, 0, 0.5])).toEqual(['−0.5', '0.0', '0.5']);
  expect(tickLabels([0, 0.25], true)).toEqual(['0%', '25%']);
  expect(paddedRange([1, 3])).toEqual([0.9, 3.1]);
  expect(paddedRange([])).toEqual([0, 1]);
});
