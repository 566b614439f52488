import stringWidth from 'string-width';
import { escapeHtml, plainChartText } from '../escape.js';

const CHARACTER_PIXELS = 6.6;

/** A chart's text for an SVG `<text>`; all text of a picture passes here. */
export function chartText(text: string): string {
  return escapeHtml(plainChartText(text));
}

/** About how many pixels a chart's text takes, of 12 pixels' height. */
export function widthOf(text: string): number {
  return stringWidth(plainChartText(text)) * CHARACTER_PIXELS;
}
