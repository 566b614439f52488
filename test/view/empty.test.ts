import { expect, it } from 'vitest';
import {
  guardCurves,
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
  waveforms,
} from '../../lib/view/charts.js';
import { beforeAfterTable, evaluationTable } from '../../lib/view/evaluation-table.js';
import type { Figure } from '../../lib/view/figure.js';
import { guardTable } from '../../lib/view/guard-table.js';
import { toBundle } from '../../lib/notebook/show.js';
import { figureSvg } from '../../lib/view/svg/figure-svg.js';

it.each<[string, Figure]>([
  ['rewardCurves', rewardCurves([], 'reward')],
  ['rewardDistribution', rewardDistribution([], 'test', 'reward')],
  ['lengthDistribution', lengthDistribution([], 'test')],
  ['trainingCurves', trainingCurves([])],
  ['logProbabilityCurves', logProbabilityCurves([])],
  ['guardCurves', guardCurves([])],
  ['waveforms', waveforms([])],
])('%s without data says so, and draws no axes', (_, figure) => {
  const svg = figureSvg(figure);
  expect(svg).toMatch(/>Nothing to show( yet)?: [^<]*\.<\/text>/);
  expect(svg).not.toMatch(/NaN|undefined|Infinity|<line|<polyline/);
  expect(figure.data).toEqual([]);
  expect([figure.layout.xaxis?.visible, figure.layout.yaxis?.visible]).toEqual([false, false]);
});

it.each([
  ['beforeAfterTable', beforeAfterTable([])],
  ['evaluationTable', evaluationTable([], 'test')],
  ['guardTable', guardTable([])],
])('%s without rows says so', (_, table) => {
  const bundle = toBundle(table);
  expect(bundle['text/html']).toContain('nothing to show');
  expect(bundle['text/plain']).toContain('nothing to show');
});

it('waveforms of recordings without sound, or with samples that are no numbers, hold only finite numbers', () => {
  const sounds = waveforms([
    { name: 'none', samples: new Float32Array(0), sampleRateHz: 16000 },
    { name: 'no numbers', samples: Float32Array.of(NaN, Infinity, 0.5), sampleRateHz: 16000 },
  ]);
  expect(figureSvg(sounds)).not.toMatch(/NaN|undefined|Infinity/);
  expect(JSON.stringify(sounds.layout)).not.toContain('null');
});
