/** The listening page's style sheet: one column that fits a phone, light or dark as the reader's system is. */
export const STYLE = `
:root { color-scheme: light dark; --back: #f4f6f8; --card: #fff; --text: #1f2328; --faint: #59636e; --line: #d5dbe1; --accent: #0068a8; --on-accent: #fff; --chosen: #e3f1fb; --warn: #a84300; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1318; --card: #1a2028; --text: #e6ebf0; --faint: #9aa6b2; --line: #333d48; --accent: #58b2ee; --on-accent: #06121b; --chosen: #14324a; --warn: #ffa366; } }
*, ::before { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; min-height: 100vh; background: var(--back); color: var(--text); font: 17px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 760px; margin: 0 auto; padding: 20px 18px 40px; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 12px; color: var(--faint); font-size: 15px; }
header h1 { margin: 0; font-size: 15px; font-weight: 600; }
progress { display: block; width: 100%; height: 8px; margin: 8px 0 26px; border: 0; border-radius: 4px; overflow: hidden; background: var(--line); appearance: none; }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); border-radius: 4px; transition: width .2s; }
progress::-moz-progress-bar { background: var(--accent); }
.task { margin: 0; color: var(--faint); }
h2 { margin: 2px 0 16px; font-size: 27px; line-height: 1.25; overflow-wrap: anywhere; }
button, .file { position: relative; min-height: 52px; padding: 10px 16px; border: 1px solid var(--line); border-radius: 12px; background: var(--card); color: var(--text); font: inherit; cursor: pointer; overflow: hidden; touch-action: manipulation; }
button:hover:not(:disabled), .file:hover { border-color: var(--accent); }
button:focus-visible, .file:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; }
button:disabled { opacity: .5; cursor: default; }
kbd { display: inline-block; min-width: 1.7em; padding: 0 .4em; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; background: var(--back); color: var(--faint); font: 600 13px/1.5 ui-monospace, Menlo, Consolas, monospace; text-align: center; }
.play { display: flex; align-items: center; gap: 12px; width: 100%; text-align: left; }
.play::before { content: ""; flex: none; width: 0; height: 0; border: solid transparent; border-width: 9px 0 9px 15px; border-left-color: currentColor; }
.play.playing::before { width: 15px; height: 16px; border: solid var(--accent); border-width: 0 5px; }
.play i { position: absolute; left: 0; bottom: 0; width: 0; height: 5px; background: var(--accent); }
.play .name { flex: 1; }
.play.heard .name::after { content: " \\2713"; color: var(--faint); font-size: 15px; font-weight: 400; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; margin: 20px 0 14px; }
.side { display: grid; gap: 10px; padding: 14px; border: 1px solid var(--line); border-radius: 16px; background: var(--card); }
.side .play { min-height: 104px; font-size: 30px; font-weight: 700; background: var(--back); }
.side .play::before { border-width: 15px 0 15px 24px; }
.side .play.playing::before { width: 24px; height: 28px; border-width: 0 8px; }
.choice { display: flex; align-items: center; justify-content: center; gap: 10px; }
.side .choice { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; min-height: 60px; }
.neither { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; }
.choice[aria-pressed=true] { box-shadow: 0 0 0 3px var(--card), 0 0 0 6px var(--accent); }
.neither .choice[aria-pressed=true] { background: var(--chosen); }
#hint { min-height: 1.5em; margin: 14px 0 0; color: var(--faint); text-align: center; }
#hint.warn, .warn { color: var(--warn); }
nav { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 22px; padding-top: 18px; border-top: 1px solid var(--line); }
nav button, nav .file { min-height: 46px; font-size: 15px; }
nav .space { flex: 1; }
.file { display: inline-flex; align-items: center; justify-content: center; }
.file input { position: absolute; inset: 0; opacity: 0; cursor: pointer; }
.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
details { margin-top: 18px; color: var(--faint); font-size: 15px; }
summary { cursor: pointer; min-height: 32px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 14px; margin: 8px 0 14px; }
dd { margin: 0; }
@media (hover: none) and (pointer: coarse) { button kbd { display: none; } }
@media (max-width: 520px) {
  main { padding: 14px 12px 28px; }
  h2 { font-size: 23px; }
  .sides, .neither { gap: 10px; }
  .side { padding: 10px; }
  .side .play { min-height: 88px; padding: 10px; gap: 10px; }
  .choice { padding: 10px 6px; gap: 6px; }
  nav button, nav .file { flex: 1 1 40%; text-align: center; }
  nav .space { display: none; }
}
`;
