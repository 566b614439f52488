import type { RunRecord, RunWorkers } from '../../run/run-files.js';
import { escapeHtml } from '../escape.js';
import { UNMET, workerRate } from '../fleet.js';
import { formatCount, formatNumber } from '../../format.js';
import { htmlTable, numberColumn, type Table } from '../table.js';

/** Who sampled and scored, in a sentence and a table. */
export function workersHtml(workers: RunWorkers, device: RunRecord['device']): string {
  return `<p>${escapeHtml(describeWorkers(workers, device))}</p>
<div class="scroll">${htmlTable(workersTable(workers))}</div>`;
}

function describeWorkers({ address, mixed, fleet }: RunWorkers, device: RunRecord['device']): string {
  const kinds = mixed
    ? 'Workers on different kinds of devices were allowed: the numbers depend on who did what.'
    : 'All computed on one kind of device.';
  const trained = `the run’s own process trained${device ? ` on ${device.description}` : ''}`;
  if (fleet.length === 0) return `No worker at ${address} has done an item; ${trained}.`;
  return `${formatCount(fleet.length, 'worker')} at ${address} sampled and scored; ${trained}. ${kinds}`;
}

/** Those who did most come first. */
function workersTable({ fleet }: RunWorkers): Table {
  const total = fleet.reduce((sum, { items }) => sum + items, 0);
  return {
    columns: [
      ...['worker', 'device'].map((title) => ({ title })),
      ...['items', 'items/s', 'share of the items'].map(numberColumn),
    ],
    rows: fleet
      .toSorted((a, b) => b.items - a.items)
      .map((worker) => [
        worker.name,
        worker.device || UNMET,
        formatNumber(worker.items, 0),
        workerRate(worker),
        `${formatNumber((100 * worker.items) / total, 1)} %`,
      ]),
  };
}
