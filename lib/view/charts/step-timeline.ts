import type { RunEvent } from '../../run/events.js';
import type { DpoMetrics } from '../../dpo/metrics.js';
import { largestOf } from '../../largest.js';
import { eventsOf } from '../run-events.js';

/** The optimizer steps of one iteration, placed on the run's own count of steps. */
export interface IterationSteps {
  iteration: number;
  /** Steps of the run before this iteration's first. */
  start: number;
  /** First step not of this iteration: what it will run to, even while it is under way. */
  end: number;
  train: { step: number; metrics: DpoMetrics }[];
  validation: { step: number; metrics: DpoMetrics }[];
}

/** A line for plotly: `null` breaks it where an iteration ends, since the next one measures from a new reference. */
export interface Line {
  x: (number | null)[];
  y: (number | null)[];
}

const DRAWN_POINTS = 3000;

/** Groups the 'step' and 'validated' events by iteration, one iteration after the other. */
export function stepTimeline(events: readonly RunEvent[]): IterationSteps[] {
  const steps = eventsOf(events, 'step');
  const validations = eventsOf(events, 'validated');
  const iterations = [...new Set(steps.map(({ iteration }) => iteration))].sort((a, b) => a - b);
  let start = 0;
  return iterations.map((iteration) => {
    const own = steps.filter((event) => event.iteration === iteration);
    const end = start + largestOf(own.map((event) => Math.max(event.step, event.steps)));
    const place = (event: { step: number; metrics: DpoMetrics }) => ({
      step: start + event.step,
      metrics: event.metrics,
    });
    const timeline = {
      iteration,
      start,
      end,
      train: own.map(place),
      validation: validations.filter((event) => event.iteration === iteration).map(place),
    };
    start = end;
    return timeline;
  });
}

/** One metric at every training step; thinned evenly where there are more steps than a chart can show. */
export function trainLine(timeline: IterationSteps[], metric: keyof DpoMetrics): Line {
  return joinIterations(timeline, ({ train }) =>
    train.map(({ step, metrics }) => [step, metrics[metric] ?? null]),
  );
}

/** The same, averaged over a centred window of a tenth of the iteration's steps; as it is where those are fewer than 20. Steps without the metric do not count. */
export function smoothedTrainLine(timeline: IterationSteps[], metric: keyof DpoMetrics): Line {
  return joinIterations(timeline, ({ train }) => {
    const reach = Math.floor(train.length / 20);
    if (reach === 0) return train.map(({ step, metrics }) => [step, metrics[metric] ?? null]);
    const sums = [0];
    const counts = [0];
    for (const { metrics } of train) {
      sums.push(sums[sums.length - 1] + (metrics[metric] ?? 0));
      counts.push(counts[counts.length - 1] + (metrics[metric] === undefined ? 0 : 1));
    }
    return train.map(({ step }, i) => {
      const from = Math.max(0, i - reach);
      const to = Math.min(train.length, i + reach + 1);
      const count = counts[to] - counts[from];
      return [step, count === 0 ? null : (sums[to] - sums[from]) / count];
    });
  });
}

/** Whether any training step has the metric; not every loss has every one. */
export function isMeasured(timeline: IterationSteps[], metric: keyof DpoMetrics): boolean {
  return timeline.some(({ train }) => train.some(({ metrics }) => metrics[metric] !== undefined));
}

/** One metric at every evaluation of the validation pairs. */
export function validationLine(timeline: IterationSteps[], metric: keyof DpoMetrics): Line {
  return joinIterations(timeline, ({ validation }) =>
    validation.map(({ step, metrics }) => [step, metrics[metric] ?? null]),
  );
}

function joinIterations(
  timeline: IterationSteps[],
  points: (iteration: IterationSteps) => [number, number | null][],
): Line {
  const perIteration = timeline.map(points);
  const stride = Math.ceil(perIteration.reduce((total, { length }) => total + length, 0) / DRAWN_POINTS);
  const line: Line = { x: [], y: [] };
  for (const iteration of perIteration) {
    if (line.x.length > 0) {
      line.x.push(null);
      line.y.push(null);
    }
    iteration.forEach(([x, y], i) => {
      if (i % stride !== 0 && i !== iteration.length - 1) return;
      line.x.push(x);
      line.y.push(y);
    });
  }
  return line;
}
