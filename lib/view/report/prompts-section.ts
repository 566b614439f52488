/** Every prompt's mean reward before and after, in a table that sorts. */
import type { RunEvent, Split } from '../../run/events.js';
import type { RunRecord } from '../../run/run-files.js';
import { escapeHtml } from '../escape.js';
import { formatChange, formatNumber } from '../../format.js';
import { beforeAndAfter, policyOf, splitName } from '../run-events.js';
import { linearScale, paddedRange, type Scale } from '../svg/scale.js';

/** A table of more prompts is folded. */
const MOST_SHOWN = 24;
const WIDTH_PIXELS = 150;

interface PromptChange {
  prompt: number;
  instruction?: string;
  before: number | null;
  after: number | null;
  change: number | null;
}

/**
 * A table for each split of which two policies are evaluated, the prompts that gained most first; a click on a title sorts by that column.
 *
 * @param instructions what the prompts ask for; default: a run's that did not record it
 */
export function promptsHtml(events: readonly RunEvent[], instructions?: RunRecord['instructions']): string {
  const tables = (['test', 'train'] as const)
    .map((split) => promptTable(events, split, instructions?.[split]))
    .join('\n');
  return tables.trim() === '' ? '' : `${tables}\n<script>${SORT}</script>`;
}

function promptTable(events: readonly RunEvent[], split: Split, instructions?: readonly string[]): string {
  const { before, after } = beforeAndAfter(events, split);
  if (!before || !after) return '';
  const changes = before.promptMeans.map((from, prompt): PromptChange => {
    const to = after.promptMeans[prompt] ?? null;
    const change = from === null || to === null ? null : to - from;
    return { prompt, instruction: instructions?.[prompt], before: from, after: to, change };
  });
  const means = changes.flatMap((each) => [each.before, each.after]).filter((mean) => mean !== null);
  const scale = linearScale(paddedRange(means), 0, WIDTH_PIXELS);
  const rows = changes
    .toSorted((a, b) => (b.change ?? -Infinity) - (a.change ?? -Infinity))
    .map((change) => row(change, scale));
  const heads = [
    head('prompt'),
    ...(instructions ? [head('instruction', WORDS)] : []),
    head(policyOf(before)),
    head(policyOf(after)),
    head('change', ' aria-sort="descending"'),
  ];
  const [low, high] = [scale.min, scale.max].map((value) => formatNumber(value, 1));
  const isLong = changes.length > MOST_SHOWN;
  return `<details${isLong || split === 'train' ? '' : ' open'}><summary>Mean reward of every prompt, before and after: ${splitName(split)}</summary>
<div class="scroll"><table class="sorts"><thead><tr>${heads.join('')}<th class="scale"><span>${low}</span><span>${high}</span></th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>`;
}

/** Of the column that holds text. */
const WORDS = ' class="words"';

const head = (title: string, attributes = ''): string =>
  `<th${attributes}><button type="button">${escapeHtml(title)}</button></th>`;

function row({ prompt, instruction, before, after, change }: PromptChange, scale: Scale): string {
  const cells = [
    cell(prompt, String(prompt)),
    instruction === undefined ? '' : cell(instruction, instruction, WORDS),
    cell(before, before === null ? '' : formatNumber(before, 3)),
    cell(after, after === null ? '' : formatNumber(after, 3)),
    cell(change, change === null ? '' : formatChange(change, 3)),
  ];
  return `<tr>${cells.join('')}<td>${slope(before, after, scale)}</td></tr>`;
}

/** @param value what its column is sorted by */
const cell = (value: string | number | null, text: string, attributes = ''): string =>
  `<td data-value="${escapeHtml(String(value ?? ''))}"${attributes}>${escapeHtml(text)}</td>`;

/** From the mean before, hollow, to the mean after, filled. */
function slope(before: number | null, after: number | null, scale: Scale): string {
  if (before === null || after === null) return '';
  const [from, to] = [before, after].map((mean) => scale.toPixel(mean).toFixed(1));
  const kind = after > before ? 'better' : after < before ? 'worse' : 'same';
  return (
    `<svg class="slope ${kind}" width="${WIDTH_PIXELS}" height="14" viewBox="0 0 ${WIDTH_PIXELS} 14" aria-hidden="true">` +
    `<line x1="${from}" x2="${to}" y1="7" y2="7"/><circle class="from" cx="${from}" cy="7" r="3.5"/><circle class="to" cx="${to}" cy="7" r="4"/></svg>`
  );
}

/** Rows without a value stay below. */
const SORT = `
for (const table of document.querySelectorAll('table.sorts')) {
  const heads = [...table.querySelectorAll('th:not(.scale)')];
  heads.forEach((head, column) => head.addEventListener('click', () => {
    const sign = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    for (const other of heads) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
    const valueOf = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => (Number.isNaN(a - b) ? a.localeCompare(b) : a - b);
    const order = (a, b) => (a === '' || b === '' ? (a === '') - (b === '') : sign * compare(a, b));
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort((a, b) => order(valueOf(a), valueOf(b))));
  }));
}`;
