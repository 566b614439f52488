import { appendFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { format } from 'date-fns/format';
import { explainWriteError } from '../checkpoint/write-error.js';
import { countMade, pairDrops, type PairDrop } from '../dpo/pair-rules.js';
import { onOneLine } from '../one-line.js';
import { ORIGINAL, type FleetStatus, type GuardSummary, type RunEvent, type Split } from './events.js';
import { describeJoined, describeLeft, describeRefused, fleetChanges } from './fleet-changes.js';
import type { Parameters } from './parameters.js';

export type LogLevel = 'INFO' | 'WARNING' | 'ERROR';

/**
 * One line as Python's logging writes it: `2024-06-01 12:00:00,123 - INFO - message` (local time). Reasons come from servers and other
 * machines too, and give no commands to a terminal that shows the log.
 */
export function formatLogLine(now: Date, level: LogLevel, message: string): string {
  const shown = message.replace(/[^\P{Cc}\t\n]/gu, '\ufffd');
  return `${format(now, 'yyyy-MM-dd HH:mm:ss,SSS')} - ${level} - ${shown}`;
}

/**
 * Appends to log_training.log at once, so that a killed run keeps what it logged.
 *
 * @throws Error in one sentence when it cannot be written; its cause has the system's code
 */
export function createLog(path: string, now: () => Date = () => new Date()) {
  return (level: LogLevel, message: string) => {
    try {
      appendFileSync(path, formatLogLine(now(), level, message) + '\n');
    } catch (error) {
      throw explainWriteError(error, dirname(path));
    }
  };
}

/** What is logged before a run: its name and every parameter, under the research code's heading. */
export function describeParameters(runName: string, parameters: Parameters): string[] {
  const lines = Object.entries(parameters).map(([name, value]) => `${name}: ${value}`);
  return ['Parameters:', ...lines, `timestep: ${runName}`];
}

export interface LogMessage {
  level: LogLevel;
  message: string;
}

/** What is logged of a run's workers: each one's joining, leaving and refusing, and what is wrong, once each. */
export function createFleetLog(): (status: FleetStatus) => LogMessage[] {
  let before: FleetStatus | undefined;
  return (status) => {
    const { joined, left, refused, trouble, isMended } = fleetChanges(before, status);
    before = status;
    const info = (message: string): LogMessage => ({ level: 'INFO', message });
    const warning = (message: string): LogMessage => ({ level: 'WARNING', message });
    return [
      ...joined.map((worker) => info(describeJoined(worker))),
      ...left.map((worker) => warning(describeLeft(worker))),
      ...refused.map((worker) => warning(describeRefused(worker))),
      ...(trouble === undefined ? [] : [warning(onOneLine(trouble))]),
      ...(isMended ? [info('workers go on')] : []),
    ];
  };
}

/** What is logged of an event, in the research code's words; nothing of progress, and of workers only what {@link createFleetLog} says. */
export function describeEvent(event: RunEvent): LogMessage[] {
  const info = (...messages: string[]) => messages.map((message) => ({ level: 'INFO' as const, message }));
  const warning = (...messages: string[]) =>
    messages.map((message) => ({ level: 'WARNING' as const, message }));
  switch (event.type) {
    case 'progress':
    case 'fleet':
      return [];
    case 'started':
      return info(`model_output_dir: ${event.modelDirectory}`, `agent_output_dir: ${event.outputDirectory}`);
    case 'notice':
      return warning(event.message);
    case 'evaluated':
      return [
        ...info(...describeEvaluation(event)),
        ...warning(...event.droppedReasons.map(describeDropped)),
      ];
    case 'guarded':
      return [
        ...info(...event.guards.map((guard) => describeGuard(event.iteration, guard))),
        ...warning(...event.warnings),
      ];
    case 'sampled':
      return info(
        `Sampled ${event.samples} completions, ${event.tokens} tokens in ${formatSeconds(event.seconds)}`,
      );
    case 'scored':
      return [
        ...info(
          `Scored ${event.scored} samples, dropped ${event.dropped}, average reward ${event.averageReward} in ${formatSeconds(event.seconds)}`,
        ),
        ...warning(...event.droppedReasons.map(describeDropped)),
      ];
    case 'paired':
      return [
        ...warning(...event.skippedReasons.map((reason) => `Skipped ${reason}`)),
        ...info(
          ...describePairDrops(event),
          `Prepared ${event.pairs} pairs for iteration ${event.iteration}: ${event.dataFile}`,
          `Chosen rewards for iteration ${event.iteration}: ${JSON.stringify(event.chosenRewards)}`,
          `Rejected rewards for iteration ${event.iteration}: ${JSON.stringify(event.rejectedRewards)}`,
        ),
      ];
    case 'warned':
      return warning(event.message);
    case 'stopped':
    case 'restored':
      return info(event.reason);
    case 'step':
      return info(`Step ${event.step}/${event.steps} epoch ${event.epoch}: ${JSON.stringify(event.metrics)}`);
    case 'validated':
      return info(`Validation at step ${event.step} epoch ${event.epoch}: ${JSON.stringify(event.metrics)}`);
    case 'saved':
      return info(
        `Finished training iteration ${event.iteration}`,
        `Saved ${event.directory} in ${formatSeconds(event.seconds)}`,
      );
    case 'finished':
      return info(`Total time taken for the entire process: ${event.seconds.toFixed(2)} seconds`);
  }
}

/** "Of 45 possible pairs 5 were made; 30 have too close rewards, 10 are allowed and not used". */
function describePairDrops({ considered, dropped }: Extract<RunEvent, { type: 'paired' }>): string[] {
  if (considered === undefined || dropped === undefined) return [];
  const reasons = (Object.keys(pairDrops) as PairDrop[]).flatMap((reason) =>
    dropped[reason] ? [`${dropped[reason]} ${pairDrops[reason]}`] : [],
  );
  const made = `Of ${considered} possible pairs ${countMade(considered, dropped)} were made`;
  return [[made, ...(reasons.length > 0 ? [reasons.join(', ')] : [])].join('; ')];
}

const SPLIT_NAMES: Record<Split, string> = { train: 'training', test: 'testing' };

const modelName = (iteration: number): string =>
  iteration === ORIGINAL ? 'Original model' : `Trained model iteration ${iteration}`;

function describeEvaluation(event: Extract<RunEvent, { type: 'evaluated' }>): string[] {
  const split = SPLIT_NAMES[event.split];
  const model = modelName(event.iteration);
  return [
    `${model} metrics on ${split} set: ${JSON.stringify(event.statistics)}`,
    `${model} rewards on ${split} set: ${JSON.stringify(event.rewards)}`,
    `${model} lengths on ${split} set: ${JSON.stringify(event.lengths)}`,
    `${model} evaluation on ${split} set took ${formatSeconds(event.seconds)}`,
  ];
}

/** Guards measure held-out prompts alone. */
function describeGuard(iteration: number, { figure, mean, missing }: GuardSummary): string {
  const unmeasured = missing > 0 ? ` (without ${missing} samples that could not be measured)` : '';
  return `${modelName(iteration)} guard ${figure} on ${SPLIT_NAMES.test} set: ${mean}${unmeasured}`;
}

function describeDropped(reason: string): string {
  return `Dropped ${reasonOfEach(reason)}`;
}

/** "2 samples: it is empty", as events have it, as a person reads it: "2 samples, each for this reason: it is empty". */
export function reasonOfEach(reason: string): string {
  return reason.replace(/^(\d+ samples): /, '$1, each for this reason: ');
}

function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(2)} seconds`;
}
