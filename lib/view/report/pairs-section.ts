import type { PairDrop } from '../../dpo/pair-rules.js';
import type { RunEvent } from '../../run/events.js';
import { escapeHtml } from '../escape.js';
import { pairLedgers, pairTable, skippedTable, type PairLedger } from '../pair-table.js';
import { policyName } from '../run-events.js';
import { note, scrolling } from './parts.js';

/** Okabe and Ito's palette; what is allowed and not used is faint. */
const PART_COLORS: Record<'made' | PairDrop, string> = {
  made: '#0072b2',
  tie: '#8c8c8c',
  uniform: '#56b4e9',
  unfinished: '#d55e00',
  identical: '#cc79a7',
  minChosen: '#e69f00',
  minMargin: '#f0e442',
  guards: '#009e73',
  unused: 'var(--line)',
};

/** Tables of the pairs of every iteration, and a strip of all that could have been made, coloured by what became of them. */
export function pairsHtml(events: readonly RunEvent[]): string {
  const skipped = skippedTable(events);
  return [
    scrolling(pairTable(events)),
    ...pairLedgers(events).map(strip),
    ...(skipped.rows.length > 0 ? [scrolling(skipped)] : []),
  ].join('\n');
}

function strip({ iteration, considered, parts }: PairLedger): string {
  const shares = parts.map(
    ({ name, meaning, count }) =>
      `<span title="${escapeHtml(`${count} ${meaning}`)}" style="flex:${count} 0 0;background:${PART_COLORS[name]}"></span>`,
  );
  const legend = parts.map(
    ({ name, meaning, count }) =>
      `<span style="border-left:10px solid ${PART_COLORS[name]};padding-left:6px;margin-right:16px">${escapeHtml(`${count} ${meaning}`)}</span>`,
  );
  const title = `${policyName(iteration)}: ${considered} possible pairs`;
  return `${note(title)}
<div style="display:flex;height:18px">${shares.join('')}</div>
<p class="note">${legend.join(' ')}</p>`;
}
