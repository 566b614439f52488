import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { audioPlayer, linkedAudioPlayer } from '../../lib/view/audio-player.js';
import { escapeChartText, escapeHtml, escapeProse, scriptJson } from '../../lib/view/escape.js';
import { beforeAfterTable, evaluationTable } from '../../lib/view/evaluation-table.js';
import { formatChange, formatCount, formatDuration, formatNumber } from '../../lib/format.js';
import { htmlTable, textTable } from '../../lib/view/table.js';
import { evaluated, fixtureEvents } from './fixture-run.js';

describe('escaping', () => {
  it('leaves nothing that HTML would read as markup', () => {
    expect(escapeHtml(`<a href="x" title='y'>&amp;`)).toBe(
      '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;',
    );
  });

  it('breaks no line at the hyphens of an option or a run', () => {
    const whole = (name: string) => `<span style="white-space:nowrap">${name}</span>`;
    expect(escapeProse('<--keep-checkpoints best>, run 0601-1200-2 or --wer; best-worst 12-34')).toBe(
      `&lt;${whole('--keep-checkpoints')} best&gt;, run ${whole('0601-1200-2')} or ${whole('--wer')}; best-worst 12-34`,
    );
    expect(escapeProse('<!--a.wav')).toBe(escapeHtml('<!--a.wav'));
  });

  it('keeps JSON inside its script element and its meaning', () => {
    const value = { text: '</script><!--' };
    expect(scriptJson(value)).not.toContain('<');
    expect(JSON.parse(scriptJson(value))).toEqual(value);
  });

  it("keeps plotly's templates out of chart text", () => {
    expect(escapeChartText('<b>%{y}')).toBe('&lt;b&gt;%&#123;y}');
  });
});

describe('formats', () => {
  it('writes numbers with a true minus sign and none before zero', () => {
    expect([formatNumber(-1.234), formatNumber(-0.001), formatNumber(12345.6, 1)]).toEqual([
      '−1.23',
      '0.00',
      '12,345.6',
    ]);
    expect([formatNumber(-9, 0), formatNumber(-0.001, 3)]).toEqual(['−9', '−0.001']);
  });

  it('writes changes with their sign', () => {
    expect([formatChange(Infinity), formatChange(-Infinity)]).toEqual(['+∞', '−∞']);
    expect([formatChange(0.5), formatChange(-0.5), formatChange(0.001)]).toEqual(['+0.50', '−0.50', '0.00']);
  });

  it('writes counts and durations', () => {
    expect([formatCount(1, 'prompt'), formatCount(2, 'prompt')]).toEqual(['1 prompt', '2 prompts']);
    expect([4.23, 9.99, 59.4, 83, 7500].map(formatDuration)).toEqual([
      '4.2 s',
      '10 s',
      '59 s',
      '1 min 23 s',
      '2 h 05 min',
    ]);
  });
});

describe('tables', () => {
  const table = {
    columns: [{ title: 'name' }, { title: 'value', align: 'right' as const }],
    rows: [
      ['a', '1.5'],
      ['<b>', '10.25'],
    ],
  };

  it('as text has columns of one width', () => {
    expect(textTable(table)).toBe('name  value\n----  -----\na       1.5\n<b>   10.25');
  });

  it('as HTML shows cells as they are', () => {
    const left = 'style="text-align:left"';
    const right = 'style="text-align:right;white-space:nowrap"';
    expect(htmlTable(table)).toBe(
      `<table><thead><tr><th ${left}>name</th><th ${right}>value</th></tr></thead><tbody>` +
        `<tr><td ${left}>a</td><td ${right}>1.5</td></tr>\n` +
        `<tr><td ${left}>&lt;b&gt;</td><td ${right}>10.25</td></tr></tbody></table>`,
    );
  });

  it('compares the original policy with the last trained one', () => {
    const rows = beforeAfterTable(fixtureEvents(2)).rows;
    expect(rows[0]).toEqual(['mean reward, held-out prompts', '1.250', '3.250', '+2.000 (+2.000 to +2.000)']);
    expect(rows[4]).toEqual([
      'mean length in tokens, held-out prompts',
      '105.0',
      '125.0',
      '+20.0 (+20.0 to +20.0)',
    ]);
    expect(rows).toHaveLength(10);
  });

  it('compares the best of as many samples as both evaluations have', () => {
    const best = (iteration: number, bestOfN?: number[]) =>
      ({ ...evaluated(iteration, 'test', [1, 2], [9, 9]), bestOfN }) as RunEvent;
    const rowsOf = (...of: (number[] | undefined)[]) =>
      beforeAfterTable(of.map((each, i) => best(i - 1, each))).rows.filter(([name]) =>
        name.startsWith('best'),
      );
    expect(rowsOf([1.5, 2], [2, 3, 3.5])).toEqual([
      ['best of 2 samples, held-out prompts', '2.000', '3.000', '+1.000'],
    ]);
    expect(rowsOf([1.5, 2])).toEqual([['best of 2 samples, held-out prompts', '2.000', '', '']]);
    expect(rowsOf([1.5], [2])).toEqual([]);
    // Files of earlier versions do not tell it.
    expect(rowsOf([1.5, 2], undefined)).toEqual([]);
  });

  it('has mean, median and deviation of held-out and of training prompts', () => {
    const { rows } = beforeAfterTable([
      evaluated(-1, 'train', [5, 5], [4, 4]),
      evaluated(-1, 'test', [0, 1, 1, 6], [10, 20, 30, 40]),
      evaluated(0, 'train', [6, 8], [4, 2]),
      evaluated(0, 'test', [1, 2, 2, 11], [10, 20, 30, 60]),
    ]);
    expect(rows).toEqual([
      ['mean reward, held-out prompts', '2.000', '4.000', '+2.000 (no interval)'],
      ['best of 2 samples, held-out prompts', '3.500', '6.500', '+3.000'],
      ['median reward, held-out prompts', '1.000', '2.000', '+1.000'],
      // √5.5 and √16.5.
      ['standard deviation, held-out prompts', '2.345', '4.062', '+1.717'],
      ['mean length in tokens, held-out prompts', '25.0', '30.0', '+5.0 (no interval)'],
      ['mean reward, training prompts', '5.000', '7.000', '+2.000 (no interval)'],
      ['best of 2 samples, training prompts', '5.000', '8.000', '+3.000'],
      ['median reward, training prompts', '5.000', '7.000', '+2.000'],
      ['standard deviation, training prompts', '0.000', '1.000', '+1.000'],
      ['mean length in tokens, training prompts', '4.0', '3.0', '−1.0 (no interval)'],
    ]);
  });

  it('leaves out what is not evaluated yet', () => {
    const onlyOriginal = fixtureEvents(0);
    expect(beforeAfterTable(onlyOriginal).rows[0]).toEqual([
      'mean reward, held-out prompts',
      '1.250',
      '',
      '',
    ]);
    expect(beforeAfterTable([]).rows).toEqual([]);
  });

  it('lists every evaluation', () => {
    const { rows } = evaluationTable(fixtureEvents(1), 'test');
    expect(rows.map(([name]) => name)).toEqual(['original', 'iteration 0']);
    expect(rows[1].slice(1)).toEqual([
      '2.250',
      '2.250',
      '0.559',
      '1.500',
      '1.875',
      '2.625',
      '3.000',
      '12',
      '115.0',
    ]);
  });
});

describe('audio players', () => {
  it('carry the bytes or a relative path', () => {
    expect(audioPlayer(Uint8Array.of(1, 2, 3))).toBe(
      '<audio controls preload="metadata" style="width:100%" src="data:audio/wav;base64,AQID"></audio>',
    );
    expect(linkedAudioPlayer('audio/a "b".wav')).toBe(
      '<audio controls preload="none" src="audio/a%20%22b%22.wav"></audio>',
    );
  });
});
