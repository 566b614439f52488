import { ORIGINAL } from '../run/events.js';

/**
 * What sounds do where scripts run; elsewhere they are plain players. One sound plays at a time, a line runs over its spectrogram, a click
 * there seeks, a button (in pages of our own also the key "x") goes on with the next sound of the row at the same position, links download,
 * and a click on the reward chart plays the sample whose reward is nearest to it.
 *
 * It reads the elements that `sound-card.ts` makes. Cards of a report have data-split, data-reward and data-policy: the iteration after
 * which the sample's policy was saved, or "last". In a notebook each output brings the script, in a scope of its own, and the first one
 * listens for the whole page.
 */
const SCRIPT = String.raw`
(() => {
'use strict';
if (!window.speechDpoSounds) window.speechDpoSounds = install(Boolean(document.currentScript?.hasAttribute('data-keys')));
window.speechDpoSounds.prepare();
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', window.speechDpoSounds.prepare);

function install(hasKeys) {
  const ACCENT = '#3fc1ff';
  const BUTTON = 'padding:2px 10px;font:inherit;color:inherit;background:rgba(128,128,128,0.15);border:1px solid rgba(128,128,128,0.5);border-radius:6px;cursor:pointer';
  const ORIGINAL = ${ORIGINAL};
  let current = null;
  let shown = null;

  const cardOf = (element) => element.closest('.sound');
  const playerOf = (card) => card.querySelector('audio');
  const labelOf = (card) => playerOf(card).getAttribute('aria-label') || card.dataset.file;
  const play = (audio) => void audio.play().catch(() => {});

  function element(tag, style, properties) {
    const made = Object.assign(document.createElement(tag), properties);
    made.style.cssText = style;
    return made;
  }

  /** Adds what only a script can serve to the cards that have none of it yet. */
  function prepare() {
    for (const card of document.querySelectorAll('.sound:not([data-ready])')) {
      card.dataset.ready = '';
      const audio = playerOf(card);
      if (!audio) continue;
      // Else JupyterLab takes the arrow keys of a player that has the focus, and goes to another cell.
      audio.dataset.lmSuppressShortcuts = 'true';
      const plot = card.querySelector('.sound-plot');
      plot.style.cursor = 'pointer';
      plot.append(element('div', 'position:absolute;top:0;bottom:0;left:0;width:2px;pointer-events:none;background:' + ACCENT, { className: 'sound-playhead' }));
      const foot = card.querySelector('.sound-foot');
      if (!foot.querySelector('a')) {
        const link = element('a', '', { href: audio.src, download: card.dataset.file, textContent: 'download' });
        link.setAttribute('aria-label', 'download ' + card.dataset.file);
        foot.append(link);
      }
    }
    for (const row of document.querySelectorAll('.sound-row:not([data-ready])')) {
      row.dataset.ready = '';
      const count = row.querySelectorAll('.sound audio').length;
      if (count < 2) continue;
      const button = element('button', BUTTON, {
        type: 'button',
        className: 'sound-switch',
        textContent: (count === 2 ? 'Switch A/B' : 'Next sound') + ', same position' + (hasKeys ? ' (x)' : ''),
      });
      button.setAttribute('aria-label', 'Go on with the ' + (count === 2 ? 'other' : 'next') + ' sound of this row at the same position');
      row.querySelector('.sound-row-head').append(button);
    }
    for (const help of document.querySelectorAll('.sound-help')) help.hidden = false;
  }

  function draw(audio) {
    const card = cardOf(audio);
    const playhead = card && card.querySelector('.sound-playhead');
    if (playhead) playhead.style.left = (100 * audio.currentTime) / card.dataset.longest + '%';
  }

  function follow(audio) {
    draw(audio);
    if (!audio.paused && audio.isConnected) requestAnimationFrame(() => follow(audio));
  }

  function mark(card) {
    if (shown) shown.style.outline = '';
    shown = card;
    if (card) card.style.outline = '2px solid ' + ACCENT;
  }

  /** From where the sound heard last is, on with the next one of the row. */
  function switchIn(row) {
    const players = [...row.querySelectorAll('.sound audio')];
    const from = players.indexOf(current);
    if (from < 0) return play(players[0]);
    const next = players[(from + 1) % players.length];
    // Read once it stands: until then it goes on.
    current.pause();
    const seconds = current.ended ? 0 : current.currentTime;
    next.currentTime = Number.isFinite(next.duration) ? Math.min(seconds, next.duration) : seconds;
    play(next);
  }

  /** A click's place on the reward axis, and whose samples stand there. */
  function placeOf(chart, { points, event }) {
    const [point] = points;
    // Of the two sets of bars the original policy's comes first.
    if (chart.id === 'chart-distribution')
      return { split: 'test', policy: point.curveNumber === 0 ? ORIGINAL : Infinity, reward: point.x };
    const { yaxis } = point;
    const top = event && chart.getBoundingClientRect().top;
    const reward = event && yaxis && yaxis.p2d ? yaxis.p2d(event.clientY - top - yaxis._offset) : point.y;
    const iterations = chart.data.flatMap(({ x }) => Array.from(x || [])).filter(Number.isFinite);
    const policy = point.x === Math.max(...iterations) && point.x !== ORIGINAL ? Infinity : point.x;
    return { split: point.data.xaxis === 'x2' ? 'train' : 'test', policy, reward };
  }

  function playNearest(chart, click) {
    const { split, policy, reward } = placeOf(chart, click);
    const names = policy === Infinity ? ['last'] : [String(policy)];
    const cards = [...document.querySelectorAll('.sound[data-reward]')].filter(
      (card) => playerOf(card) && card.dataset.split === split && names.includes(card.dataset.policy),
    );
    const prompts = split === 'test' ? 'held-out prompts' : 'training prompts';
    if (cards.length === 0) return tell(chart, 'No sound of this policy’s samples on ' + prompts + ' is in this page.');
    const distance = (card) => Math.abs(card.dataset.reward - reward);
    const card = cards.reduce((best, each) => (distance(each) < distance(best) ? each : best));
    const audio = playerOf(card);
    audio.currentTime = 0;
    play(audio);
    tell(chart, 'Of this policy’s sounds in the page, the one with the reward nearest to ' + Number(reward).toFixed(2).replace('-', '−') + ' plays: ' + labelOf(card) + '. ', card);
  }

  function tell(chart, text, card) {
    const figure = chart.parentElement;
    const status = figure.querySelector('.sound-status') || element('p', 'font-size:13px;margin:4px 0', { className: 'sound-status' });
    status.setAttribute('role', 'status');
    status.textContent = text;
    if (card) {
      const show = element('button', BUTTON, { type: 'button', textContent: 'Show it' });
      show.addEventListener('click', () => card.scrollIntoView({ block: 'center' }));
      status.append(show);
    }
    figure.append(status);
  }

  document.addEventListener('play', ({ target }) => {
    for (const audio of document.querySelectorAll('audio')) if (audio !== target) audio.pause();
    current = target;
    mark(cardOf(target));
    follow(target);
  }, true);
  for (const type of ['timeupdate', 'seeking', 'pause', 'ended']) document.addEventListener(type, ({ target }) => target.tagName === 'AUDIO' && draw(target), true);

  document.addEventListener('click', (event) => {
    const button = event.target.closest('.sound-switch');
    if (button) return switchIn(button.closest('.sound-row'));
    const plot = event.target.closest('.sound-plot');
    const card = plot && cardOf(plot);
    const audio = card && playerOf(card);
    if (!audio) return;
    const { left, width } = plot.getBoundingClientRect();
    const seconds = (card.dataset.longest * (event.clientX - left)) / width;
    audio.currentTime = Number.isFinite(audio.duration) ? Math.min(seconds, audio.duration) : seconds;
    draw(audio);
  });

  // A chart can be listened to once it is drawn, and may be drawn anew: by the time of a click it was pointed at.
  document.addEventListener('mouseover', ({ target }) => {
    const chart = target.closest && target.closest('#chart-rewards, #chart-distribution');
    if (!chart || !chart.on || !document.querySelector('.sound[data-policy]')) return;
    chart.removeAllListeners('plotly_click');
    chart.on('plotly_click', (click) => playNearest(chart, click));
  }, true);

  if (hasKeys)
    document.addEventListener('keydown', (event) => {
      if (event.key.toLowerCase() !== 'x' || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest('input, textarea, select, [contenteditable]')) return;
      const row = current && current.closest('.sound-row');
      if (row) switchIn(row);
    });

  return { prepare };
}
})();
`;

/**
 * The script as an element, once for a page or an output.
 *
 * @param keys whether the page is our own, so that a key may do something
 */
export function soundScript({ keys = false } = {}): string {
  return `<script type="text/javascript"${keys ? ' data-keys' : ''}>${SCRIPT}</script>`;
}
