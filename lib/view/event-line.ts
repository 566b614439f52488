import { meanOf } from '../mean.js';
import { ORIGINAL, type RunEvent } from '../run/events.js';
import { reasonOfEach } from '../run/log.js';
import { meaningOf } from '../reward/guard.js';
import { formatCount, formatDuration, formatNumber } from '../format.js';
import { formatFigure } from './guard-table.js';
import { policyName, splitName, type EventOf } from './run-events.js';

/** The line an event leaves behind; undefined for one that only moves a bar. */
export function eventLine(event: RunEvent): string | undefined {
  switch (event.type) {
    case 'started':
      return [
        `run ${event.run}${event.isFinished ? ' is finished: nothing is left to do' : event.resumed === undefined ? '' : ` goes on ${event.resumed}`}`,
        `  data, audio, report: ${event.outputDirectory}`,
        `  log, checkpoints: ${event.modelDirectory}`,
        ...(event.device === undefined ? [] : [`  device: ${event.device}`]),
      ].join('\n');
    case 'notice':
      return event.message;
    case 'evaluated': {
      const { mean, p25, p75 } = event.statistics;
      const tokens = meanOf(event.lengths);
      const reward = `reward ${formatNumber(mean)} (p25 to p75: ${formatNumber(p25)} to ${formatNumber(p75)})`;
      const indent = event.iteration === ORIGINAL ? 'original policy' : '  evaluated';
      return `${indent}, ${splitName(event.split)}: ${reward}, ${formatNumber(tokens, 0)} tokens, ${formatDuration(event.seconds)}${describeDropped(event.droppedReasons)}`;
    }
    case 'guarded':
      return describeGuards(event);
    case 'sampled':
      return `${policyName(event.iteration)}\n  sampled ${formatCount(event.samples, 'completion')}, ${formatCount(event.tokens, 'token')}, ${formatDuration(event.seconds)}`;
    case 'scored': {
      const dropped = event.dropped > 0 ? `, dropped ${event.dropped} without a score` : '';
      return `  scored, mean reward ${formatNumber(event.averageReward)}${dropped}${describeDropped(event.droppedReasons)}`;
    }
    case 'paired': {
      const skipped = event.skippedReasons.map((reason) => `\n  skipped ${reason}`).join('');
      const possible = event.considered === undefined ? '' : ` of ${event.considered} possible`;
      return `  ${formatCount(event.pairs, 'pair')}${possible} in ${event.dataFile}${skipped}`;
    }
    case 'warned':
      return `  WARNING: ${event.message}`;
    case 'stopped':
    case 'restored':
      return `  ${event.reason}`;
    case 'step': {
      if (event.step < event.steps) return undefined;
      const { loss, 'rewards/margins': margin } = event.metrics;
      const ofMargin = margin === undefined ? '' : `, margin ${formatNumber(margin, 3)}`;
      return `  trained ${formatCount(event.steps, 'step')}, loss ${formatNumber(loss, 4)}${ofMargin}`;
    }
    case 'validated':
    case 'progress':
    case 'fleet':
      return undefined;
    case 'saved':
      return `  saved ${event.directory}`;
    case 'finished':
      return `finished in ${formatDuration(event.seconds)}`;
  }
}

function describeDropped(reasons: readonly string[]): string {
  return reasons.map((reason) => `\n  dropped ${reasonOfEach(reason)}`).join('');
}

function describeGuards({ guards, warnings }: EventOf<'guarded'>): string {
  const figures = guards
    .filter(({ figure }) => figure === 'kl' || meaningOf(figure).limit !== undefined)
    .map(({ figure, mean }) => `${meaningOf(figure).label} ${formatFigure(figure, mean)}`);
  return [`  guard: ${figures.join(', ')}`, ...warnings.map((warning) => `  WARNING: ${warning}`)].join('\n');
}
