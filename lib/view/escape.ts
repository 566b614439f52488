const HTML_ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML that shows exactly that text, inside an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => HTML_ENTITIES[character]);
}

/** A value as a JSON literal that may stand inside a `<script>` element: no "<" is left that could close it or open a comment. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/**
 * Text for a chart's titles, labels and hover boxes, where plotly reads a small set of HTML tags and `%{...}` templates.
 */
export function escapeChartText(text: string): string {
  return escapeHtml(text).replaceAll('%{', '%&#123;');
}
