/** The report's style sheet: one column of at most 1180 pixels, light, printable. */
export const STYLE = `
:root { color-scheme: light; --text: #24292f; --faint: #59636e; --line: #dde2e7; --soft: #f6f8fa; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--text); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 36px 28px 64px; }
h1 { margin: 0; font-size: 28px; line-height: 1.25; }
h2 { margin: 52px 0 6px; padding-top: 14px; border-top: 1px solid var(--line); font-size: 20px; }
h3 { margin: 26px 0 8px; font-size: 15px; }
p { margin: 8px 0; max-width: 82ch; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.overline, .note, figcaption, footer { color: var(--faint); font-size: 13px; }
.overline { margin: 0 0 4px; }
.lead { margin-top: 18px; font-size: 16px; }
nav { margin-top: 14px; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; }
.warning { margin: 16px 0 0; padding: 10px 14px; border-left: 4px solid #d55e00; background: #fdf3ec; max-width: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 14px; margin: 22px 0 0; }
.tile { padding: 12px 16px; border: 1px solid var(--line); border-radius: 8px; background: var(--soft); }
.tile b { display: block; font-size: 22px; line-height: 1.35; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile span { color: var(--faint); font-size: 13px; }
figure { margin: 14px 0 4px; }
figcaption { max-width: 100ch; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 24px; }
.chart:empty { min-height: 120px; background: var(--soft); }
.scroll { overflow-x: auto; }
table { margin: 10px 0; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--faint); font-weight: 600; }
td { overflow-wrap: anywhere; min-width: 4.5em; }
.clips { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; }
article { padding: 9px 10px 8px; border: 1px solid var(--line); border-radius: 8px; break-inside: avoid; }
article header { display: flex; justify-content: space-between; gap: 8px; font-size: 13px; color: var(--faint); }
article b { color: var(--text); }
b.chosen { color: #007a58; }
b.rejected { color: #b84f00; }
b.trained { color: var(--accent); }
.spectrogram { margin: 6px 0; background: #f0f2f4; position: relative; }
.spectrogram img { display: block; height: 84px; image-rendering: auto; }
.spectrogram span { position: absolute; right: 3px; bottom: 2px; padding: 0 4px; border-radius: 3px; background: rgba(255, 255, 255, 0.85); font-size: 11px; }
audio { display: block; width: 100%; height: 32px; }
.problem { color: #b84f00; font-size: 13px; overflow-wrap: anywhere; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--accent); font-size: 14px; }
footer { margin-top: 56px; padding-top: 12px; border-top: 1px solid var(--line); }
@media (max-width: 900px) { .clips { grid-template-columns: repeat(2, minmax(0, 1fr)); } .two { grid-template-columns: 1fr; } }
@media print { nav, audio { display: none; } h2 { break-after: avoid; } }
`;
