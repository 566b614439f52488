import { Command } from 'commander';
import { WORKERS_VARIABLE } from '../farm/option.js';
import { listPresent, type PresentRun, type WorkerRecord } from '../farm/presence.js';
import { connectQueue } from '../farm/queue.js';
import { showableText } from '../view/escape.js';
import { formatDuration, formatNumber } from '../format.js';
import { numberColumn } from '../view/table.js';
import { endedBy } from './interrupt.js';
import { sayOnStderr } from './standard-streams.js';
import { fittedTable } from './terminal.js';

type Seen<T> = T & { seenSecondsAgo: number };

/** What `speech-dpo workers --json` prints. What a run's workers are told, such as the password of its files, is left out. */
export interface Present {
  /** Of the queue, without its password. */
  address: string;
  workers: Seen<WorkerRecord>[];
  runs: Seen<Omit<PresentRun, 'terms'>>[];
}

/** `speech-dpo workers`: who is there at a queue. */
export function workersCommand(signal: AbortSignal): Command {
  return new Command('workers')
    .description('list the workers of a queue and the runs that they work for')
    .argument(
      '[address]',
      `of the queue: redis://HOST:PORT, rediss://... or postgres://...; default: ${WORKERS_VARIABLE}`,
    )
    .option('--json', 'print JSON', false)
    .action(async (given: string | undefined, { json }: { json: boolean }) => {
      const address = given ?? process.env[WORKERS_VARIABLE];
      if (!address) throw new Error(`no queue is named: give its address, or set ${WORKERS_VARIABLE}`);
      const present = await endedBy(signal, readPresent(address));
      process.stdout.write(
        `${json ? JSON.stringify(present, undefined, 2) : showableText(formatPresent(present))}\n`,
      );
    });
}

async function readPresent(address: string): Promise<Present> {
  await using connection = await connectQueue(address, { onNotice: sayOnStderr });
  const workers = await listPresent(connection, 'workers');
  const runs = await listPresent(connection, 'runs');
  const shown = runs.map(({ terms: _, ...run }) => run);
  return { address: connection.address, workers, runs: shown };
}

/** A table of workers, why some of them refuse, and a table of runs; or how to begin. */
export function formatPresent({ address, workers, runs }: Present): string {
  const titles = new Map(runs.map(({ id, title }) => [id, title]));
  const parts: string[] = [];
  if (workers.length === 0)
    parts.push(`No worker is there: start one on any machine: npx speech-dpo worker ${address}`);
  else
    parts.push(
      fittedTable({
        columns: [
          ...['worker', 'host', 'device', 'version', 'state', 'run'].map((title) => ({ title })),
          ...['items', 'items/s', 'last seen'].map(numberColumn),
        ],
        rows: workers.map((each) => [
          ...[each.name, each.host, each.device, each.version, each.state],
          each.run === undefined ? '-' : (titles.get(each.run) ?? each.run),
          formatNumber(each.items, 0),
          each.seconds > 0 ? formatNumber(each.items / each.seconds, 2) : '-',
          `${formatDuration(each.seenSecondsAgo)} ago`,
        ]),
      }),
    );
  // A worker that is busy does not hear at once that a run which it refuses has ended.
  const refusals = workers.flatMap(({ name, refusals: reasons }) =>
    reasons
      .filter(({ run }) => titles.has(run))
      .map(({ title, reason }) => `${name} takes no part in ${title}: ${reason}`),
  );
  if (refusals.length > 0) parts.push(refusals.join('\n'));
  if (runs.length === 0) parts.push('No run asks for workers: start one with --workers and this address.');
  else
    parts.push(
      fittedTable({
        columns: [{ title: 'run' }, ...['waiting', 'running', 'done', 'of'].map(numberColumn)],
        rows: runs.map(({ title, counts }) => [
          title,
          ...(['waiting', 'running', 'done', 'total'] as const).map((name) =>
            counts ? formatNumber(counts[name], 0) : '-',
          ),
        ]),
      }),
    );
  return parts.join('\n\n');
}
