/** The workers of a run in words. */
import type { FleetStatus, WorkerStatus } from '../run/events.js';
import {
  describeJoined,
  describeLeft,
  describeRefused,
  fleetChanges,
  takesPart,
} from '../run/fleet-changes.js';
import { onOneLine } from '../one-line.js';
import { formatCount, formatDuration, formatNumber } from '../format.js';
import { numberColumn, type Table } from './table.js';

/** Names in a sentence before "and 197 more". */
const NAMES = 3;
/** The device of a worker of which only results came. */
export const UNMET = 'not known';
/** What changes is told when no more has changed back for so long. */
const SETTLE_SECONDS = 3;
/** Between two tellings; while there is always more to tell, it doubles up to the longest. */
const SHORTEST_PAUSE_SECONDS = 5;
const LONGEST_PAUSE_SECONDS = 60;

/** One line: "3 workers: 41 items waiting, 3 running, 12 of 56 done, 1.2 items/s, 38 s left". */
export function fleetLine(status: FleetStatus): string {
  const { waiting, running, failed, done, total, remainingSeconds } = status;
  const left = total - done;
  const rate = remainingSeconds !== undefined && remainingSeconds > 0 ? left / remainingSeconds : undefined;
  return `${countWorkers(status)}: ${[
    `${formatCount(waiting, 'item')} waiting`,
    `${formatNumber(running, 0)} running`,
    ...(failed > 0 ? [`${formatNumber(failed, 0)} ${failed === 1 ? 'try' : 'tries'} failed`] : []),
    `${formatNumber(done, 0)} of ${formatNumber(total, 0)} done`,
    ...(rate === undefined ? [] : [`${formatRate(rate)} items/s`]),
    ...(remainingSeconds === undefined || left === 0 ? [] : [`${formatDuration(remainingSeconds)} left`]),
  ].join(', ')}`;
}

/** Those that take part: "3 workers". */
export function countWorkers({ workers }: FleetStatus): string {
  return formatCount(workers.filter(takesPart).length, 'worker');
}

/** A worker's items a second while it worked; "-" before it did. */
export function workerRate({ items, seconds }: Pick<WorkerStatus, 'items' | 'seconds'>): string {
  return items > 0 && seconds > 0 ? formatRate(items / seconds) : '-';
}

const formatRate = (rate: number) => formatNumber(rate, rate < 10 ? (rate < 1 ? 2 : 1) : 0);

const ORDER: Record<WorkerStatus['state'], number> = {
  working: 0,
  idle: 1,
  preparing: 2,
  refuses: 3,
  gone: 4,
};

/** One row for each worker, those that work first: name, device, state, items, items a second. */
export function fleetTable({ workers }: FleetStatus): Table {
  return {
    columns: [
      ...['worker', 'device', 'state'].map((title) => ({ title })),
      ...['items', 'items/s'].map(numberColumn),
    ],
    rows: workers
      .toSorted((a, b) => ORDER[a.state] - ORDER[b.state])
      .map((worker) => [
        worker.name,
        worker.device || UNMET,
        worker.state,
        formatNumber(worker.items, 0),
        workerRate(worker),
      ]),
  };
}

/** What is to be mended, as sentences: the trouble, and who takes no part, one sentence for each reason. */
export function fleetTrouble({ workers, trouble }: FleetStatus): string[] {
  return [
    ...(trouble === undefined ? [] : [onOneLine(trouble)]),
    ...describeRefusals(workers.filter(({ refusal }) => refusal !== undefined)),
  ];
}

/**
 * Tells of the workers what a person should know: who joined, left or refuses, and what is wrong. Many who come within a minute are told
 * of in a few lines.
 *
 * @returns the lines to print now, of what still holds by then
 */
export function createFleetNews(): (status: FleetStatus, nowSeconds: number) => string[] {
  let told: FleetStatus | undefined;
  let toldSeconds = -Infinity;
  let pauseSeconds = 0;
  let changedSeconds: number | undefined;
  return (status, nowSeconds) => {
    const lines = describeChanges(told, status);
    if (lines.length === 0) {
      changedSeconds = undefined;
      return [];
    }
    changedSeconds ??= nowSeconds;
    const silentSeconds = nowSeconds - toldSeconds;
    if (nowSeconds - changedSeconds < SETTLE_SECONDS || silentSeconds < pauseSeconds) return [];
    const isSoon = silentSeconds < 2 * LONGEST_PAUSE_SECONDS;
    pauseSeconds = isSoon ? Math.min(2 * pauseSeconds, LONGEST_PAUSE_SECONDS) : SHORTEST_PAUSE_SECONDS;
    [told, toldSeconds, changedSeconds] = [status, nowSeconds, undefined];
    return lines;
  };
}

function describeChanges(before: FleetStatus | undefined, after: FleetStatus): string[] {
  const { joined, left, refused, trouble, isMended } = fleetChanges(before, after);
  return [
    ...describeMany(joined, describeJoined, (count, names) => `${count} take part: ${names}`),
    ...describeMany(left, describeLeft, (count, names) => `${count} are gone: ${names}`),
    ...describeRefusals(refused),
    ...(trouble === undefined ? [] : [onOneLine(trouble)]),
    ...(isMended ? [`work goes on with ${countWorkers(after)}`] : []),
  ];
}

/** A sentence for each reason. */
function describeRefusals(workers: readonly WorkerStatus[]): string[] {
  const reasons = new Set(workers.map(({ refusal }) => refusal));
  return [...reasons].flatMap((reason) =>
    describeMany(
      workers.filter(({ refusal }) => refusal === reason),
      describeRefused,
      (count, names) => `${count} take no part (${names}): ${reason}`,
    ),
  );
}

function describeMany(
  workers: readonly WorkerStatus[],
  describeOne: (worker: WorkerStatus) => string,
  describeAll: (count: string, names: string) => string,
): string[] {
  if (workers.length === 0) return [];
  if (workers.length === 1) return [describeOne(workers[0])];
  const names = workers.slice(0, NAMES).map(({ name }) => name);
  const more = workers.length - names.length;
  const last = more > 0 ? `${formatNumber(more, 0)} more` : names.pop();
  return [onOneLine(describeAll(formatCount(workers.length, 'worker'), `${names.join(', ')} and ${last}`))];
}
