/** Where a page's elements lie. */
import type { Page } from 'playwright-core';

export interface Box {
  what: string;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Of what a page shows of the elements that a selector finds. */
export const boxesOf = (page: Page, selector: string): Promise<Box[]> =>
  page.evaluate(`Array.from(document.querySelectorAll(${JSON.stringify(selector)}), (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { what: element.textContent, left, top: top + scrollY, right, bottom: bottom + scrollY };
  }).filter(({ left, right }) => right > left)`);

/** Pairs of boxes that lie on top of each other by more than a pixel. */
export function overlaps(boxes: readonly Box[], others?: readonly Box[]): [Box, Box][] {
  const lie = (a: Box, b: Box) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  return boxes.flatMap((a, i) =>
    (others ?? boxes.slice(i + 1)).filter((b) => lie(a, b)).map((b): [Box, Box] => [a, b]),
  );
}
