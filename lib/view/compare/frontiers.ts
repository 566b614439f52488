/** The reward over the KL divergence: what runs pay for their reward. */
import { groupBy } from '../../group-by.js';
import { largestOf } from '../../largest.js';
import { bestOfNDivergence } from '../../run/best-of-n.js';
import { escapeChartText } from '../escape.js';
import { axis, type Figure } from '../figure.js';
import { formatNumber } from '../../format.js';
import { beforeAndAfter, eventsOf, evaluationsOf } from '../run-events.js';
import { panelFigure, type Panel } from './panels.js';
import { rewardKindOf, type ComparedRun } from './runs.js';

/** A policy, or a way to choose among its samples. */
interface Point {
  nats: number;
  reward: number;
}

/**
 * Mean held-out reward over the KL divergence from the original policy, iteration by iteration: what each run pays for its reward (the frontier
 * of Rafailov et al. 2023, figure 2), beside what the best of n samples of the original policy give. The axis is one of square roots, as in
 * Gao et al. 2022, arXiv:2210.10760, who show how rewards that are gamed turn down. A panel for each kind of reward.
 */
export function comparedFrontiers(runs: readonly ComparedRun[]): Figure {
  const measured = runs.flatMap((run) => {
    const points = evaluationsOf(run.events, 'test').flatMap(({ iteration, statistics }): Point[] => {
      const kl = eventsOf(run.events, 'guarded')
        .find((guarded) => guarded.iteration === iteration)
        ?.guards.find(({ figure }) => figure === 'kl');
      return kl ? [{ nats: kl.mean, reward: statistics.mean }] : [];
    });
    return points.length > 0 ? [{ run, points }] : [];
  });
  const kinds = groupBy(measured, ({ run }) => rewardKindOf(run));
  const panels = [...kinds.values()].map((group): Panel => {
    const [{ run: first }] = group;
    const curves = group.map(({ run, points }) => ({ run, ...curveOf(points) }));
    const baselines = bestOfNCurves(group.map(({ run }) => run));
    const most = largestOf([...curves, ...baselines].flatMap(({ x }) => x));
    return {
      title: 'held-out prompts',
      xAxis: {
        ...axis('KL to the original (nats, √ scale)'),
        ...natsTicks(most),
      },
      yAxis: axis(first.rewardLabel),
      curves,
      baselines,
    };
  });
  return panelFigure(runs, panels, 380, 'Nothing to show: these runs have not measured their KL divergence.');
}

/** An estimate of a small divergence may lie below 0. */
const placeOf = (nats: number): number => Math.sqrt(Math.max(0, nats));

function curveOf(points: readonly Point[]): { x: number[]; y: number[]; text: string[] } {
  return {
    x: points.map(({ nats }) => placeOf(nats)),
    y: points.map(({ reward }) => reward),
    text: points.map(({ nats, reward }) => `${formatNumber(reward)} at ${formatNumber(nats)} nats`),
  };
}

/** At 0 and at 1, 2 and 5 times powers of ten, those that stand a tenth of the axis apart, which ends at the place `most`. */
function natsTicks(most: number): { tickvals: number[]; ticktext: string[] } {
  const ticks = [0];
  for (let power = 0.01; placeOf(power) <= most; power *= 10)
    for (const each of [power, 2 * power, 5 * power])
      if (placeOf(each) <= most && placeOf(each) - placeOf(ticks.at(-1)!) >= most / 10) ticks.push(each);
  return { tickvals: ticks.map(placeOf), ticktext: ticks.map((each) => String(Number(each.toPrecision(1)))) };
}

/** Of each original policy that samples more than once; runs of one seed begin with the same. Where there are several, the hover tells whose each is. */
function bestOfNCurves(runs: readonly ComparedRun[]) {
  const originals = runs.flatMap(({ label, events }) => {
    const rewards = beforeAndAfter(events, 'test').before?.bestOfN ?? [];
    return rewards.length > 1 ? [{ label, rewards }] : [];
  });
  const distinct = [...groupBy(originals, ({ rewards }) => rewards.join()).values()];
  return distinct.map((same) => {
    const points = same[0].rewards.map((reward, i) => ({ nats: bestOfNDivergence(i + 1), reward }));
    const whose =
      distinct.length > 1 ? ` (${same.map(({ label }) => escapeChartText(label)).join(', ')})` : '';
    const curve = curveOf(points);
    return {
      name: 'best of n samples, original policy',
      ...curve,
      text: curve.text.map((what, i) => `best of ${i + 1}${whose}: ${what}`),
    };
  });
}
