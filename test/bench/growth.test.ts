/** What `npm run bench -- --growth` concludes from its figures, and draws. */
import { describe, expect, it } from 'vitest';
import { growthFigure } from '../../bench/growth-chart.js';
import { logLogSlope, steepness, type Measure, type Series } from '../../bench/growth-fit.js';
import { figureSvg } from '../../lib/view/svg/figure-svg.js';

const SIZES = [64, 128, 256, 512];

function seriesOf(
  ours: (size: number) => number,
  peer: (size: number) => number,
  measure: Measure = 'time of a step',
): Series {
  const points = SIZES.map((size) => ({
    ...{ size, label: String(size), tokens: 1500 },
    costs: { ours: ours(size), peer: peer(size) },
  }));
  return { axis: 'prompt, ids', measure, points };
}

describe('the slope on logarithms', () => {
  it('is the power of a power law, whatever its factor', () => {
    for (const power of [-0.5, 0, 1, 1.7]) {
      const costs = SIZES.map((size) => 0.003 * size ** power);
      expect(logLogSlope(SIZES, costs)).toBeCloseTo(power, 12);
    }
  });

  it("is numpy's (polyfit of log over log) where no power law fits", () => {
    expect(logLogSlope(SIZES, [88.4, 126, 190, 371])).toBeCloseTo(0.6800478421181229, 12);
  });
});

describe('which side is steeper', () => {
  it('is said by the power and by what is added, which differ under a large constant', () => {
    const { power, added, byPower, byAdded } = steepness(
      seriesOf(
        (size) => size,
        (size) => 4000 + 2 * size,
      ),
    );
    expect(power.ours).toBeCloseTo(1, 12);
    expect(added).toEqual({ ours: 448, peer: 896 });
    expect([byPower, byAdded]).toEqual(['steeper', 'flatter']);
  });

  it('calls sides alike that differ by the factor alone in power, and by less than a twentieth in what is added', () => {
    const near = steepness(
      seriesOf(
        (size) => 1.04 * size,
        (size) => size,
      ),
    );
    expect([near.byPower, near.byAdded]).toEqual(['alike', 'alike']);
    const twice = steepness(
      seriesOf(
        (size) => 2 * size,
        (size) => size,
      ),
    );
    expect([twice.byPower, twice.byAdded]).toEqual(['alike', 'steeper']);
  });

  it('needs two points', () => {
    const series = seriesOf(Math.sqrt, Math.sqrt);
    expect(() => steepness({ ...series, points: series.points.slice(0, 1) })).toThrow('a slope needs two');
  });
});

describe('the picture', () => {
  const series = seriesOf(
    (size) => size / 1000,
    (size) => size / 500,
    'time of sampling',
  );

  it('draws sampling as a rate, both axes logarithmic', () => {
    const { data } = growthFigure([[series]]);
    const [peer, ours] = data as { x: number[]; y: number[] }[];
    expect(ours.x).toEqual([6, 7, 8, 9]);
    expect(ours.y[0]).toBeCloseTo(Math.log2(1500 / 0.064), 12);
    expect(ours.y.map((value, i) => value - peer.y[i])).toEqual(
      [1, 1, 1, 1].map((one) => expect.closeTo(one, 12)),
    );
  });

  it('names real sizes and round rates on the axes', () => {
    const texts = [...figureSvg(growthFigure([[series]])).matchAll(/<text[^>]*>([^<]*)</g)].map(
      ([, text]) => text,
    );
    expect(texts).toEqual(expect.arrayContaining(['64', '512', '2,000', '5,000', '10,000', 'prompt, ids']));
  });
});
