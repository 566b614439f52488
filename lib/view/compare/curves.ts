/** Curves of several runs over one axis. */
import type { Layout } from 'plotly.js-dist';
import { groupBy } from '../../group-by.js';
import { ORIGINAL } from '../../run/events.js';
import { meaningOf } from '../../reward/guard.js';
import { namedLoss } from '../../dpo/losses/named.js';
import type { DpoMetrics } from '../../dpo/metrics.js';
import { lossWords, marginWords } from '../charts/loss-words.js';
import { meanBand } from '../charts/mean-band.js';
import { isMeasured, smoothedTrainLine, stepTimeline, trainLine } from '../charts/step-timeline.js';
import { iterationTicks } from '../charts/reward-curves.js';
import { NOT_EVALUATED, NOT_TRAINED, axis, type Figure } from '../figure.js';
import { guardsOf } from '../guard-table.js';
import { eventsOf, evaluationsOf } from '../run-events.js';
import { panelFigure, type Curve, type Panel } from './panels.js';
import { rewardKindOf, type ComparedRun } from './runs.js';

/** Mean held-out reward after every iteration with its 95 % interval over prompts; a panel for each kind of reward. */
export function comparedRewards(runs: readonly ComparedRun[]): Figure {
  const evaluated = runs.filter(({ events }) => evaluationsOf(events, 'test').length > 0);
  const panels = [...groupBy(evaluated, rewardKindOf).values()].map((own): Panel => {
    const [{ rewardLabel }] = own;
    const curves = own.map((run) => {
      const evaluations = evaluationsOf(run.events, 'test');
      const x = evaluations.map(({ iteration }) => iteration);
      const y = evaluations.map(({ statistics }) => statistics.mean);
      return { run, x, y, ...meanBand(y, evaluations) };
    });
    return { title: 'held-out prompts', xAxis: iterationAxis(curves), yAxis: axis(rewardLabel), curves };
  });
  return panelFigure(runs, panels, 400, NOT_EVALUATED);
}

/** Mean of every guard figure that has a limit, on held-out prompts after every iteration, with its 95 % interval over prompts. */
export function comparedGuards(runs: readonly ComparedRun[]): Figure {
  const figures = [...new Set(runs.flatMap(({ events }) => guardsOf(events)))].filter(
    (figure) => meaningOf(figure).limit !== undefined,
  );
  const panels = figures.map((figure): Panel => {
    const { label, unit } = meaningOf(figure);
    const scale = unit === 'percent' ? 100 : 1;
    const curves = runs.flatMap((run) => {
      const measured = eventsOf(run.events, 'guarded').flatMap(({ iteration, guards }) => {
        const summary = guards.find((guard) => guard.figure === figure);
        if (!summary) return [];
        const promptMeans = summary.promptMeans.map((mean) => (mean === null ? null : mean * scale));
        return [{ iteration, mean: summary.mean * scale, promptMeans }];
      });
      if (measured.length === 0) return [];
      const y = measured.map(({ mean }) => mean);
      return [{ run, x: measured.map(({ iteration }) => iteration), y, ...meanBand(y, measured) }];
    });
    const title = label + (scale === 100 ? ' (%)' : '');
    return { title, xAxis: iterationAxis(curves), yAxis: axis(''), curves };
  });
  return panelFigure(runs, panels, 340, 'Nothing to show: these runs have no measurements of their guards.');
}

/** Training loss, margin and share of pairs ranked right by optimizer step: the running mean, and each step faintly. */
export function comparedTraining(runs: readonly ComparedRun[]): Figure {
  const trained = runs.filter(({ events }) => eventsOf(events, 'step').length > 0);
  const losses = trained.map(({ record }) => namedLoss(record.parameters));
  return stepFigure(runs, [
    { metric: 'loss', ...lossWords(losses) },
    { metric: 'rewards/margins', ...marginWords(losses) },
    { metric: 'rewards/accuracies', title: 'pairs ranked right', axisTitle: 'share of pairs' },
  ]);
}

/** Log-probabilities of chosen and of rejected completions under the policy by optimizer step. */
export function comparedLogProbabilities(runs: readonly ComparedRun[]): Figure {
  const axisTitle = 'log-probability (nats)';
  return stepFigure(runs, [
    { metric: 'logps/chosen', title: 'chosen completions', axisTitle },
    { metric: 'logps/rejected', title: 'rejected completions', axisTitle },
  ]);
}

function stepFigure(
  runs: readonly ComparedRun[],
  metrics: { metric: keyof DpoMetrics; title: string; axisTitle: string }[],
): Figure {
  const trained = runs
    .map((run) => ({ run, timeline: stepTimeline(run.events) }))
    .filter(({ timeline }) => timeline.length > 0);
  const panels = metrics.flatMap(({ metric, title, axisTitle }): Panel[] => {
    const measured = trained.filter(({ timeline }) => isMeasured(timeline, metric));
    if (measured.length === 0) return [];
    const curves = measured.map(({ run, timeline }) => ({
      run,
      ...smoothedTrainLine(timeline, metric),
      behind: trainLine(timeline, metric),
    }));
    const last = Math.max(...trained.map(({ timeline }) => timeline.at(-1)!.end));
    const xAxis = { ...axis('optimizer step'), showgrid: false, ...(last < 10 && { dtick: 1 }) };
    return [{ title, xAxis, yAxis: axis(axisTitle, 4), curves }];
  });
  return panelFigure(runs, panels, 380, NOT_TRAINED);
}

function iterationAxis(curves: readonly Curve[]): NonNullable<Layout['xaxis']> {
  const iterations = curves.flatMap(({ x }) => x.map((value) => value ?? ORIGINAL));
  return { ...axis('policy after iteration'), ...iterationTicks(iterations), showgrid: false };
}
