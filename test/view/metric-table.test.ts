import { expect, it } from 'vitest';
import type { Measurement } from '../../lib/scoring/measure.js';
import { metricNotes, metricTable } from '../../lib/view/metric-table.js';
import { htmlTable, textTable } from '../../lib/view/table.js';

const alignment = 'REF: as near\nHYP: as dear\n        S';
const measured: Measurement[] = [
  { metric: 'nisqa', scores: new Error('no weights') },
  { metric: 'pesq', scores: [{ wb: 4.6439, nb: 4.5 }, new Error('it is silent')] },
  { metric: 'stoi', scores: [1, 0.93] },
  {
    metric: 'wer',
    scores: [
      { wer: 0, hits: 2, transcript: 'as near', alignment: '' },
      { wer: 0.5, hits: 1, transcript: 'as dear', alignment },
    ],
  },
];
const names = ['target', 'policy'];

it('figures stand in columns, one for each recording', () => {
  expect(metricTable(names, measured).rows).toEqual([
    ['pesq wb', '4.644', '-'],
    ['pesq nb', '4.500', '-'],
    ['stoi', '1.000', '0.930'],
    ['wer', '0.000', '0.500'],
    ['wer hits', '2', '1'],
  ]);
});

it('what is told in words, or not measured, stands below with its recording', () => {
  const { rows } = metricNotes(names, measured);
  expect(rows[0]).toEqual([
    'nisqa',
    'all',
    'not measured: no weights. Where there is a network, once: npm run weights -- nisqa',
  ]);
  expect(rows[1]).toEqual(['pesq', 'policy', 'not measured: it is silent']);
  expect(rows.at(-1)).toEqual(['wer alignment', 'policy', alignment]);
});

it('an alignment keeps its columns', () => {
  const table = { columns: [{ title: 'recording' }, { title: '' }], rows: [['policy', alignment]] };
  expect(textTable(table).split('\n').slice(2)).toEqual([
    'policy     REF: as near',
    '           HYP: as dear',
    '                   S',
  ]);
  expect(htmlTable(table)).toContain(`white-space:pre;font-family:monospace">${alignment}</td>`);
});
