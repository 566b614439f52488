import { namedLoss } from '../../dpo/losses/named.js';
import type { RecordedRun } from '../../run/run-files.js';
import { isSupervised } from '../../run/taught-by.js';
import { WHY_BOTH_MAY_FALL } from '../charts.js';
import { MEAN_BAND } from '../charts/reward-curves.js';
import { RUNNING_MEAN, VALIDATION } from '../charts/step-panels.js';
import type { Figure } from '../figure.js';

export type FigureName =
  | 'chart-rewards'
  | 'chart-guards'
  | 'chart-training'
  | 'chart-logps'
  | 'chart-distribution'
  | 'chart-lengths';

/** What still pictures of charts are drawn for that take half of the page's width. */
export const STILL_PIXELS: Partial<Record<FigureName, number>> = {
  'chart-distribution': 550,
  'chart-lengths': 550,
};

/** What a reader has to know of a chart, in sentences. */
export function captionOf(name: FigureName, figure: Figure, { record }: RecordedRun): string {
  switch (name) {
    case 'chart-rewards':
      return (
        'The solid line is the median of all samples, the dotted line their mean. The stronger blue band holds the middle half of the samples; ' +
        `the faint one reaches from the worst to the best sample. ${describeBand(figure)} “original” is the policy before any training.`
      );
    case 'chart-guards':
      return (
        'These figures say what the reward does not see; they are measured on the held-out samples. A dashed line is a limit: the run warns where ' +
        'a figure is beyond it while the reward has risen.'
      );
    case 'chart-training':
      return `${describeStart(record.parameters)}${describeLines(figure)}`.trimEnd();
    case 'chart-logps':
      return isSupervised(record.parameters) ? WHY_BOTH_MAY_RISE : WHY_BOTH_MAY_FALL;
    case 'chart-distribution':
      return 'The bars show the rewards of the samples on held-out prompts.';
    case 'chart-lengths':
      return 'The bars show the lengths of the same samples.';
  }
}

const WHY_BOTH_MAY_RISE =
  'Supervised training raises the log-probability of chosen samples; that of rejected ones often rises along, since the two often share most of ' +
  'their tokens.';

function describeBand({ data }: Figure): string {
  return data.some((trace) => 'name' in trace && trace.name === MEAN_BAND)
    ? 'The orange band is the 95 % interval of the mean, by a bootstrap over prompts.'
    : 'The mean has no band, since an evaluation has fewer than 5 prompts.';
}

/** What the lines are that the chart has, where their names do not say it. */
function describeLines({ data, layout }: Figure): string {
  const shows = (start: string): boolean =>
    data.some(
      (trace) => 'name' in trace && trace.name?.startsWith(start) && 'x' in trace && Boolean(trace.x?.length),
    );
  const mean = 'The running mean is over a tenth of an iteration’s steps. ';
  const validation = 'Validation pairs are held back from the training. ';
  const between = 'A dotted vertical line stands between two iterations.';
  return (
    (shows(RUNNING_MEAN) ? mean : '') +
    (shows(VALIDATION) ? validation : '') +
    (layout.shapes?.length ? between : '')
  );
}

/** Where loss and margin begin, where that is known beforehand. Of several losses the margin is that of the first, with or without a reference. */
function describeStart(parameters: RecordedRun['record']['parameters']): string {
  const { loss, lossWeights, rpoAlpha, reference } = parameters;
  if (reference !== 'start' || namedLoss(parameters).rewardKind !== 'ratio') return '';
  const because = 'since the reference is the policy at the iteration’s start. ';
  if (loss !== 'sigmoid' || lossWeights !== null)
    return `The margin starts at 0 in every iteration, ${because}`;
  const more =
    rpoAlpha === 0 ? '' : `, plus ${rpoAlpha} times the chosen samples’ negative log-likelihood (rpoAlpha)`;
  return `In every iteration the loss starts at ln 2 = 0.693${more}, and the margin at 0, ${because}`;
}
