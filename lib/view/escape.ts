const HTML_ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML or SVG that shows exactly that text, inside an element or a quoted attribute; see {@link showableText}. */
export function escapeHtml(text: string): string {
  return showableText(text).replace(/[&<>"']/g, (character) => HTML_ENTITIES[character]);
}

/** An option, "--keep-checkpoints", or a run's name, "0601-1200-2"; "<!--a" begins a comment. */
const HYPHENATED_NAME = /(?<![\w!-])(?:--[a-z][a-z-]*|\d{4}-\d{4}(?:-\d+)?)(?![\w-])/g;

/** As {@link escapeHtml}, where lines may break, but not at the hyphens of an option or a run's name. */
export function escapeProse(text: string): string {
  return escapeHtml(text).replace(HYPHENATED_NAME, '<span style="white-space:nowrap">$&</span>');
}

/** Attribute of an element whose text must show as it is written: a notebook's viewer takes what stands between dollars for TeX. */
export const NO_TEX = 'class="tex2jax_ignore mathjax_ignore"';

/** A value as a JSON literal that may stand inside a `<script>` element: no "<" is left that could close it or open a comment. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** plotly knows only these names of characters; it shows others as they are written. */
const CHART_ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  // TeX stands between dollars.
  $: '&#36;',
};

/**
 * Text for a chart's titles, labels, names and hover boxes, where plotly reads a small set of HTML tags, TeX and `%{...}` templates.
 * {@link plainChartText} gives it back.
 */
export function escapeChartText(text: string): string {
  return showableText(text)
    .replace(/[&<>$]/g, (character) => CHART_ENTITIES[character])
    .replaceAll('%{', '%&#123;');
}

/** What plotly shows of a chart's text: without the tags that it reads, with the characters that stand for others. */
export function plainChartText(chartText: string): string {
  return chartText
    .replace(/<br(\s[^>]*)?\/?>/gi, ' ')
    .replace(/<\/?(b|i|em|sub|sup|s|u|span|a)(\s[^>]*)?>/gi, '')
    .replace(/&(?:(amp|lt|gt|nbsp)|#(\d{1,7})|#x([\da-f]{1,6}));/gi, (whole, name, decimal, hex) => {
      if (name) return { amp: '&', lt: '<', gt: '>', nbsp: '\u00a0' }[String(name).toLowerCase()] ?? whole;
      const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    });
}

/** What opens a stretch of another direction of writing, and what closes it. */
const DIRECTIONS = { '\u202a\u202b\u202d\u202e': '\u202c', '\u2066\u2067\u2068': '\u2069' };

/**
 * The text with U+FFFD in the place of what a page, a picture or a terminal cannot show or takes for a command: control characters (but
 * tabs and line breaks), halves of characters and non-characters. Directions of writing that it opens are closed at its end, so that what
 * comes after it stays in its order.
 */
export function showableText(text: string): string {
  const shown = text.replace(/[^\P{Cc}\t\n\r]|\p{Surrogate}|\ufffe|\uffff/gu, '\ufffd');
  const open = Object.entries(DIRECTIONS).map(([openers, closer]) => {
    let depth = 0;
    for (const character of shown) {
      if (openers.includes(character)) depth++;
      else if (character === closer) depth = Math.max(0, depth - 1);
    }
    return closer.repeat(depth);
  });
  return shown + open.join('');
}
