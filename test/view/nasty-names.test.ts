/** Names, instructions and paths from outside are shown as the text they are, wherever they enter a page, a picture, a chart or a terminal. */
import fc from 'fast-check';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { markdown } from '../../lib/experiment/model-card.js';
import { rewardCurves, rewardDistribution, waveforms } from '../../lib/view/charts.js';
import { escapeChartText, escapeHtml, plainChartText, showableText } from '../../lib/view/escape.js';
import { metricNotes, metricTable } from '../../lib/view/metric-table.js';
import { players } from '../../lib/notebook/listen.js';
import { toBundle } from '../../lib/notebook/show.js';
import { figureSvg } from '../../lib/view/svg/figure-svg.js';
import { htmlTable, textTable } from '../../lib/view/table.js';
import { fixtureEvents } from './fixture-run.js';

const PIECES = [
  '<',
  '>',
  '&',
  '"',
  "'",
  '</text>',
  '<script>alert(1)</script>',
  '<b>',
  '<a href="javascript:x">',
  '<br>',
  ']]>',
  '<![CDATA[',
  '<!--',
  '-->',
  '&lt;',
  '&amp;lt;',
  '&#60;',
  '&quot;',
  '%{y}',
  '$x$',
  '\\',
  '`',
  '``',
  '|',
  '*',
  '_',
  '\0',
  '\u001b[31m',
  '\u0007',
  '\u0085',
  '\ud800',
  '\udc00',
  '\ufffe',
  '\u200f',
  '\u202e',
  '\u2066',
  '\u202c',
  '\u2028',
  '語',
  '🎧',
  'é',
  ' ',
  'a.wav',
];
const nasty = fc.string({ unit: fc.constantFrom(...PIECES), minLength: 1, maxLength: 8 });

const tone = (name: string) => ({ name, samples: Float32Array.of(0.5, -0.5, 0.25, 0), sampleRateHz: 400 });

/** Fails for what no XML parser takes: tags that are not closed, bare "&", characters that XML does not have. Gives the texts of all elements. */
function textsOfXml(xml: string): string[] {
  expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u);
  const open: string[] = [];
  const texts: string[] = [];
  for (const [, text, tag] of xml.matchAll(/([^<]*)(<[^>]*>)?/g)) {
    if (text !== '')
      texts.push(
        text.replace(/&(?!(?:amp|lt|gt|quot|apos|#\d+);)/g, () => expect.fail(`a bare "&" in ${text}`)),
      );
    const match = /^<(\/?)([a-zA-Z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>$/.exec(tag ?? '');
    if (tag && !match) expect.fail(`no tag: ${tag}`);
    if (!match) continue;
    if (match[1]) expect(open.pop()).toBe(match[2]);
    else if (!match[4]) open.push(match[2]);
  }
  expect(open).toEqual([]);
  return texts.map((text) =>
    text
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&quot;/g, '"')
      .replace(/&#39;/g, "'")
      .replace(/&amp;/g, '&'),
  );
}

/** What stands between a page's tags, as it is shown. */
const tagsOf = (html: string) => Array.from(html.matchAll(/<\/?([a-z]+)/gi), ([, name]) => name);

describe('nasty names', () => {
  it('are text in a picture of every chart', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const waves = textsOfXml(figureSvg(waveforms([tone(name), tone('b')])));
        expect(waves).toContain(showableText(name));
        const events = fixtureEvents(1);
        for (const figure of [rewardCurves(events, name), rewardDistribution(events, 'test', name)])
          expect(textsOfXml(figureSvg(figure))).toContain(showableText(name));
      }),
    );
  });

  it('do not break the picture of a figure that a person wrote without escaping', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const trace = { type: 'scatter' as const, x: [1, 2], y: [1, 2], name };
        const layout = {
          xaxis: { title: { text: name }, tickvals: [1], ticktext: [name] },
          yaxis: { title: { text: name } },
          annotations: [{ text: name, x: 1, y: 1 }],
        };
        textsOfXml(figureSvg({ data: [trace], layout }));
      }),
    );
  });

  it('hold no markup, template or TeX of plotly, which shows them as they are', () => {
    // plotly's own reading of entities (svg_text_utils.js), after its tags are split off.
    const named: Record<string, string> = {
      mu: 'μ',
      amp: '&',
      lt: '<',
      gt: '>',
      nbsp: '\u00a0',
      times: '×',
      plusmn: '±',
      deg: '°',
    };
    const read = (text: string) =>
      text.replace(/&(#\d+|#x[\da-fA-F]+|[a-z]+);/g, (whole, inner: string) =>
        inner.startsWith('#') ? String.fromCodePoint(Number(inner.slice(1))) : (named[inner] ?? whole),
      );
    fc.assert(
      fc.property(nasty, (name) => {
        const escaped = escapeChartText(name);
        expect(escaped).not.toMatch(/[<>$]|%\{/);
        expect(read(escaped)).toBe(showableText(name));
        expect(plainChartText(escaped)).toBe(showableText(name));
        const figures = [
          waveforms([tone(name)]),
          rewardCurves(fixtureEvents(1), name),
          rewardDistribution(fixtureEvents(1), 'test', name),
        ];
        for (const figure of figures) {
          const texts = [
            ...JSON.stringify(figure).matchAll(/"(?:text|name|hovertemplate)":"((?:[^"\\]|\\.)*)"/g),
          ];
          for (const [, text] of texts)
            expect((JSON.parse(`"${text}"`) as string).replace(/<\/?(b|extra)>|<br>/g, '')).not.toMatch(
              /[<>]|\$/,
            );
        }
      }),
    );
  });

  it('are text in tables, players and a page', () => {
    const plain = { table: tagsOf(htmlTable(tableOf('a'))), players: tagsOf(players([tone('a')]).html) };
    fc.assert(
      fc.property(nasty, (name) => {
        const table = htmlTable(tableOf(name));
        expect(tagsOf(table)).toEqual(plain.table);
        textsOfXml(table);
        expect(tagsOf(players([tone(name)]).html)).toEqual(plain.players);
        expect(textsOfXml(`<p>${escapeHtml(name)}</p>`)).toContain(showableText(name));
      }),
      { numRuns: 60 },
    );
  });

  it('are no TeX in a notebook, whose viewers read that between dollars', () => {
    const outputs = [toBundle(tableOf('$x$'))['text/html'], players([tone('$x$')]).html];
    for (const html of outputs) expect(html).toMatch(/^<div class="tex2jax_ignore mathjax_ignore"[^]*\$x\$/);
  });

  it('give a terminal no commands, and columns of one width', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const text = textTable(tableOf(name));

        expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
    expect(
      textTable({
        columns: [{ title: 'file' }, { title: 'mos', align: 'right' }],
        rows: [
          ['語🎧.wav', '1.0'],
          ['a.wav', '2.0'],
        ],
      }),
    ).toBe(['file      mos', '--------  ---', '語🎧.wav  1.0', 'a.wav     2.0'].join('\n'));
  });

  it('leave what stands after them in its order', () => {
    expect(escapeHtml('\u202eabc') + ' 5').toBe('\u202eabc\u202c 5');
    expect(escapeHtml('\u2067a\u202eb')).toBe('\u2067a\u202eb\u202c\u2069');
    expect(escapeHtml('\u202ea\u202c \u200fb')).toBe('\u202ea\u202c \u200fb');
  });

  it('are code in a model card', () => {
    expect(markdown('"even-token"')).toBe('"even-token"');
    expect(markdown('a_b/<img src=x>')).toBe('`a_b/<img src=x>`');
    expect(markdown('`x``')).toBe('``` `x`` ```');
    expect(markdown('a\n# b')).toBe('`a # b`');
    fc.assert(
      fc.property(nasty, (name) => {
        const shown = markdown(name);
        expect(shown).not.toMatch(/[\n\r\p{Cc}]/u);
        const code = /^(`+)([^]*)\1$/.exec(shown);
        if (code) expect(code[2].match(/`+/g) ?? []).not.toContain(code[1]);
        else expect(shown).not.toMatch(/[\\`*_~[\]<>&#$!]/);
      }),
    );
  });
});

function tableOf(name: string) {
  const measured = [{ metric: 'silence' as const, scores: [new Error(name)] }];
  const { rows } = metricNotes([name], measured);
  return {
    ...metricTable([name], measured),
    columns: [{ title: name }, { title: 'b' }, { title: 'c' }],
    rows,
  };
}

it('plotly reads text as this project takes it to', async () => {
  const { readFile } = await import('node:fs/promises');
  const plotly = await readFile(createRequire(import.meta.url).resolve('plotly.js-dist/plotly.js'), 'utf8');
  expect(/var entityToUnicode = \{([^}]*)\}/.exec(plotly)![1].match(/\w+(?=:)/g)).toEqual([
    'mu',
    'amp',
    'lt',
    'gt',
    'nbsp',
    'times',
    'plusmn',
    'deg',
  ]);
  expect(
    /var TAG_STYLES = \{([^}]*)\}/
      .exec(plotly)![1]
      .match(/^\s*\w+(?=:)/gm)!
      .map((tag) => tag.trim())
      .sort(),
  ).toEqual(['a', 'b', 'em', 'i', 's', 'span', 'sub', 'sup', 'u']);
});
