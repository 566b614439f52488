import { escapeHtml } from '../escape.js';
import { plotlyScripts } from '../figure-html.js';
import { pageHead } from './head.js';
import { reportFigures, reportSections, type ReportContent } from './sections.js';
import { STYLE } from './style.js';

/** The whole page, all in one file. */
export async function reportPage(content: ReportContent): Promise<string> {
  const { run, rewardLabel } = content;
  const figures = reportFigures(run, rewardLabel);
  const sections = reportSections(content, figures);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(`${run.record.run}: ${run.record.parameters.reward}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${pageHead(run, rewardLabel)}
<nav>${sections.map(({ id, title }) => `<a href="#${id}">${title}</a>`).join('')}</nav>
${sections.map(({ id, title, html }) => `<h2 id="${id}">${title}</h2>\n${html}`).join('\n')}
<footer>Made by speech-dpo ${escapeHtml(run.record.versions['speech-dpo'] ?? '')} from the files of this run.
Charts by plotly.js (MIT licence).</footer>
</main>
${await plotlyScripts(figures)}
</body>
</html>
`;
}
