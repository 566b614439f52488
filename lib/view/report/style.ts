/** The report's style sheet: one column of at most 1180 pixels that fits a phone, light or dark as the reader's system is, printable. */
export const STYLE = `
:root { color-scheme: light dark; --back: #fff; --text: #24292f; --faint: #59636e; --line: #dde2e7; --soft: #f6f8fa; --accent: #0072b2; --good: #007a58; --bad: #b84f00; --warn: #fdf3ec; --warn-line: #d55e00; --over: rgba(255, 255, 255, 0.85); --shade: rgba(31, 41, 51, 0.28); }
@media (prefers-color-scheme: dark) { :root { --back: #12161c; --text: #e6ebf0; --faint: #9aa6b2; --line: #333d48; --soft: #1a2028; --accent: #58b2ee; --good: #2cc295; --bad: #f28a3d; --warn: #2b1f16; --warn-line: #f28a3d; --over: rgba(18, 22, 28, 0.85); --shade: rgba(154, 166, 178, 0.4); } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 36px 28px 64px; }
h1 { margin: 0; font-size: 28px; line-height: 1.25; }
h2 { margin: 52px 0 6px; padding-top: 14px; border-top: 1px solid var(--line); font-size: 20px; }
h3 { margin: 26px 0 8px; font-size: 15px; }
.name { white-space: nowrap; }
p { margin: 8px 0; max-width: 82ch; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.overline, .note, figcaption, footer { color: var(--faint); font-size: 13px; }
.overline { margin: 0 0 4px; }
.lead { margin-top: 18px; font-size: 16px; }
nav { margin-top: 14px; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; }
.warning { margin: 16px 0 0; padding: 10px 14px; border-left: 4px solid var(--warn-line); background: var(--warn); max-width: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; margin: 22px 0 0; }
.tile { padding: 12px 16px; border: 1px solid var(--line); border-radius: 8px; background: var(--soft); }
.tile b { display: block; font-size: 22px; line-height: 1.35; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile.warned { border-color: var(--warn-line); background: var(--warn); }
.tile span { color: var(--faint); font-size: 13px; }
figure { margin: 14px 0 4px; }
figcaption { max-width: 100ch; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 24px; }
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--back) 40%, transparent) left, linear-gradient(to left, var(--back) 40%, transparent) right, linear-gradient(to right, var(--shade), transparent) left, linear-gradient(to left, var(--shade), transparent) right; background-size: 40px 100%, 40px 100%, 14px 100%, 14px 100%; background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
table { margin: 10px 0; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--faint); font-weight: 600; }
td { min-width: 4.5em; }
td:first-child { min-width: 8.5em; }
.sorts th, .sorts td { text-align: right; white-space: nowrap; min-width: 0; }
.sorts .words { min-width: 11em; text-align: left; white-space: normal; }
.sorts button { padding: 0; border: 0; background: none; color: inherit; font: inherit; cursor: pointer; }
.sorts [aria-sort=descending] button::after { content: " \\2193"; }
.sorts [aria-sort=ascending] button::after { content: " \\2191"; }
.sorts .scale span + span { float: right; }
.sorts .scale, .sorts td:last-child { padding-left: 12px; text-align: left; font-weight: 400; }
.slope { display: block; margin-top: 4px; overflow: visible; color: var(--faint); stroke: currentColor; stroke-width: 2; }
.slope .from { fill: var(--back); }
.slope .to { fill: currentColor; }
.slope.better { color: var(--good); }
.slope.worse { color: var(--bad); }
.sound-row { --sound-columns: repeat(auto-fill, minmax(min(100%, max(330px, 100% / var(--columns, 2) - 12px)), 1fr)); }
article { padding: 9px 10px 8px; border: 1px solid var(--line); border-radius: 8px; break-inside: avoid; }
article header { display: flex; justify-content: space-between; gap: 8px; font-size: 13px; color: var(--faint); }
article b { color: var(--text); }
b.chosen { color: var(--good); }
b.rejected { color: var(--bad); }
b.trained { color: var(--accent); }
audio { display: block; width: 100%; height: 32px; }
.problem { color: var(--bad); font-size: 13px; overflow-wrap: anywhere; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--accent); font-size: 14px; }
footer { margin-top: 56px; padding-top: 12px; border-top: 1px solid var(--line); }
@media (max-width: 900px) { .two { grid-template-columns: 1fr; } }
@media (max-width: 699.98px) { main { padding: 24px 16px 48px; } h1 { font-size: 23px; } th, td { padding-right: 9px; } th { white-space: normal !important; } td { min-width: 0 !important; } td:first-child { min-width: 7.5em !important; } .sorts td:first-child { min-width: 0 !important; } table { font-size: 13px; } .sorts .words { min-width: 8em; }
.stacked thead { display: none; } .stacked tr { display: grid; grid-template-columns: auto 1fr; padding: 5px 0; border-bottom: 1px solid var(--line); } .stacked td { padding: 0 0 0 12px; border: 0; text-align: right !important; } .stacked td:first-child { padding: 0; text-align: left !important; font-weight: 600; } .stacked td:last-child { grid-column: 1 / -1; padding: 0; text-align: left !important; color: var(--faint); } }
@media print { nav, audio { display: none; } h2 { break-after: avoid; } }
`;
