import { methodOf, taughtBy } from '../../run/taught-by.js';
import { escapeHtml } from '../escape.js';
import type { Figure } from '../figure.js';
import { figureStyle, plotlyScripts } from '../figure-html.js';
import { pageHead } from './head.js';
import { reportFigures, reportSections, type ReportContent, type Section } from './sections.js';
import { STYLE } from './style.js';

/** The page of a run, all in one file. */
export function reportPage(content: ReportContent): Promise<string> {
  const { run, rewardLabel } = content;
  const figures = reportFigures(run, rewardLabel);
  return selfContainedPage({
    title: `${run.record.run}: ${methodOf(run.record.parameters)} ${taughtBy(run.record.reward?.name)}`,
    head: pageHead(run, rewardLabel),
    sections: reportSections(content, figures),
    figures,
    footer: `Made by speech-dpo ${run.record.versions['speech-dpo'] ?? ''} from the files of this run.`,
  });
}

/**
 * A page of sections under a head, in one file that needs nothing else.
 *
 * @param page.title,page.footer text
 * @param page.head HTML
 * @param page.figures by the id of their place in the sections
 */
export async function selfContainedPage(page: {
  title: string;
  head: string;
  sections: readonly Section[];
  figures: Record<string, Figure>;
  footer: string;
}): Promise<string> {
  const { title, head, sections, figures, footer } = page;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}${figureStyle(Object.values(figures))}</style>
</head>
<body>
<main>
${head}
<nav>${sections.map(({ id, title: name }) => `<a href="#${id}">${name}</a>`).join('')}</nav>
${sections.map(({ id, title: name, html }) => `<h2 id="${id}">${name}</h2>\n${html}`).join('\n')}
<footer>${escapeHtml(footer)}
Charts by plotly.js (MIT licence).</footer>
</main>
${await plotlyScripts(figures)}
</body>
</html>
`;
}
