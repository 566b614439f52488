import type { RunEvent } from '../../run/events.js';
import { COLORS, type Figure } from '../figure.js';
import { lossWords, marginWords } from './loss-words.js';
import type { Named } from '../../dpo/preference-loss.js';
import { stepPanels } from './step-panels.js';
import { stepTimeline } from './step-timeline.js';

/**
 * Training loss, margin of implicit rewards and share of pairs ranked right (TRL's loss, rewards/margins and
 * rewards/accuracies) over all iterations' optimizer steps: each step on its training pairs, their running mean, and the
 * validation pairs.
 *
 * @param loss that was trained by, as `namedLoss(parameters)` or a `PreferenceLoss` of your own; default: the chart names none, and no unit of the margins
 */
export function trainingCurves(events: readonly RunEvent[], loss?: Named): Figure {
  const colors = { name: '', color: COLORS.train, validationColor: COLORS.validation };
  const losses = loss ? [loss] : [];
  return stepPanels(stepTimeline(events), [
    {
      ...lossWords(losses),
      series: [{ metric: 'loss', ...colors }],
    },
    {
      ...marginWords(losses),
      series: [{ metric: 'rewards/margins', ...colors }],
    },
    {
      title: 'pairs ranked right',
      axisTitle: 'share of pairs',
      range: [-0.04, 1.08],
      series: [{ metric: 'rewards/accuracies', ...colors }],
    },
  ]);
}

/** Why the curves of {@link logProbabilityCurves} may both go down. */
export const WHY_BOTH_MAY_FALL =
  'Both may fall where the loss pushes the rejected sample down: the two often share most of their tokens, so that the ' +
  'chosen one is dragged along. Such a training works as long as the gap between the lines grows.';

/**
 * Log-probability of the chosen and the rejected completions under the policy (TRL's logps/chosen and logps/rejected)
 * over all iterations' optimizer steps.
 */
export function logProbabilityCurves(events: readonly RunEvent[]): Figure {
  return stepPanels(stepTimeline(events), [
    {
      title: 'log-probability of a completion',
      axisTitle: 'log-probability (nats)',
      series: [
        { metric: 'logps/chosen', name: 'chosen', color: COLORS.chosen, validationColor: COLORS.chosen },
        {
          metric: 'logps/rejected',
          name: 'rejected',
          color: COLORS.rejected,
          validationColor: COLORS.rejected,
        },
      ],
    },
  ]);
}
