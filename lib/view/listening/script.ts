/**
 * What the listening page does in a browser. It reads two elements: #page, what a listener may know, and #key, which systems and codes the
 * sides are; the key is opened only for the export. Votes are kept in localStorage under the page's id.
 */
export const SCRIPT = String.raw`
'use strict';
const page = JSON.parse(document.getElementById('page').textContent);
const $ = (id) => document.getElementById(id);
const STORE = 'speech-dpo listening ' + page.id;
const SIDES = ['left', 'right'];
const CHOICES = { left: $('left'), right: $('right'), 'no difference': $('same'), 'both bad': $('bad') };
const PLAYERS = { source: $('play-source'), left: $('play-left'), right: $('play-right') };
const total = page.pairs.length;

let votes = { listener: newListener(), choices: {} };
let place = 0;
let heard = new Set();
let sounds = {};
let isKept = true;

function newListener() {
  return [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify(votes));
  } catch {
    isKept = false;
  }
}

/** What is kept may be newer than what this page knows: it may be open twice in this browser. Where the page could not keep its votes, it is older. */
function restore() {
  if (!isKept) return;
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) || 'null');
    if (kept) votes = kept;
  } catch {
    isKept = false;
  }
}

const firstOpen = () => page.pairs.findIndex((_, pair) => !(pair in votes.choices));
const countVotes = () => Object.keys(votes.choices).length;

function show(next) {
  stop();
  for (const { url } of Object.values(sounds)) URL.revokeObjectURL(url);
  sounds = {};
  place = next;
  const isOver = place >= total;
  $('pair').hidden = isOver;
  $('end').hidden = !isOver;
  heard = new Set(place in votes.choices ? SIDES : []);
  if (!isOver) $('instruction').textContent = page.pairs[place].instruction;
  hint('');
  draw();
  document.activeElement.blur();
  scrollTo(0, 0);
}

function draw() {
  const count = countVotes();
  $('progress').value = count;
  $('count').textContent = place < total ? 'Pair ' + (place + 1) + ' of ' + total : count + ' of ' + total + ' done';
  for (const [choice, button] of Object.entries(CHOICES)) {
    button.setAttribute('aria-pressed', String(votes.choices[place] === choice));
    button.disabled = heard.size < 2;
  }
  for (const [name, button] of Object.entries(PLAYERS)) {
    button.classList.toggle('heard', heard.has(name));
    button.classList.toggle('playing', Boolean(sounds[name] && !sounds[name].audio.paused));
  }
  $('back').disabled = place === 0;
  $('forward').disabled = !(place in votes.choices);
  $('export').disabled = count === 0;
  $('export').classList.toggle('main', place >= total);
  $('summary').textContent =
    count === total
      ? 'You have listened to all ' + total + ' pairs. Download your votes: they exist in this browser only.'
      : count + ' of ' + total + ' pairs have your vote.';
  $('unkept').hidden = isKept;
}

function hint(text, isWarning) {
  $('hint').textContent = text;
  $('hint').classList.toggle('warn', Boolean(isWarning));
}

function soundOf(name) {
  if (!sounds[name]) {
    const bytes = Uint8Array.from(atob(page.pairs[place][name]), (character) => character.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], { type: 'audio/wav' }));
    const audio = new Audio(url);
    audio.addEventListener('ended', draw);
    sounds[name] = { audio, url };
  }
  return sounds[name].audio;
}

function stop() {
  for (const { audio } of Object.values(sounds)) audio.pause();
}

/** From the beginning; a sound that plays is stopped. */
async function play(name) {
  if (place >= total) return;
  const audio = soundOf(name);
  const wasPlaying = !audio.paused;
  stop();
  if (wasPlaying) return draw();
  audio.currentTime = 0;
  try {
    await audio.play();
  } catch (error) {
    // A sound that is stopped before it begins was not heard; that is no fault.
    if (error.name !== 'AbortError') hint('This browser cannot play the sound: ' + error.message, true);
    return draw();
  }
  if (SIDES.includes(name)) heard.add(name);
  hint(heard.size === 1 ? 'Now listen to ' + (heard.has('left') ? 'B' : 'A') + '.' : '');
  draw();
  follow(name, audio);
}

function follow(name, audio) {
  const bar = PLAYERS[name].querySelector('i');
  const isPlaying = !audio.paused && sounds[name] && sounds[name].audio === audio;
  bar.style.width = isPlaying && audio.duration ? (100 * audio.currentTime) / audio.duration + '%' : '0';
  if (isPlaying) requestAnimationFrame(() => follow(name, audio));
}

function vote(choice) {
  if (place >= total) return;
  if (heard.size < 2) return hint('Listen to both before you choose.', true);
  restore();
  votes.choices[place] = choice;
  keep();
  const open = firstOpen();
  show(place + 1 < total || open < 0 ? place + 1 : open);
}

function back() {
  if (place > 0) show(place - 1);
}

function forward() {
  if (place in votes.choices) show(place + 1);
}

function decodeKey() {
  const bytes = Uint8Array.from(atob($('key').textContent), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function exportVotes() {
  restore();
  draw();
  if (countVotes() === 0) return;
  const key = decodeKey();
  const content = {
    format: page.format,
    page: page.id,
    listener: votes.listener,
    exportedAt: new Date().toISOString(),
    pairs: total,
    systems: key.systems,
    votes: page.pairs.flatMap(({ instruction }, pair) =>
      pair in votes.choices
        ? [{ pair, instruction, ...key.pairs[pair], choice: votes.choices[pair] }]
        : [],
    ),
  };
  const url = URL.createObjectURL(new Blob([JSON.stringify(content) + '\n'], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'votes-' + page.id + '.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** Whether a votes file has a listener, and votes that can be given here. */
function isWhole({ listener, votes }) {
  if (typeof listener !== 'string' || !Array.isArray(votes)) return false;
  return votes.every((vote) => vote && page.pairs[vote.pair] && Object.hasOwn(CHOICES, vote.choice));
}

async function load(file) {
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch {
    return hint(file.name + ' is no JSON file.', true);
  }
  if (!content || content.format !== page.format) return hint(file.name + ' holds no votes.', true);
  if (content.page !== page.id) return hint(file.name + ' holds votes on another page.', true);
  if (!isWhole(content)) return hint(file.name + ' is damaged: it holds votes that this page does not export.', true);
  const choices = Object.fromEntries(content.votes.map(({ pair, choice }) => [pair, choice]));
  restore();
  const others = Object.keys(votes.choices).filter((pair) => votes.choices[pair] !== choices[pair]).length;
  const question = file.name + ' lacks ' + others + ' of the votes in this browser, or has others. Replace them?';
  if (others > 0 && !confirm(question)) return;
  votes = { listener: content.listener, choices };
  keep();
  const open = firstOpen();
  show(open < 0 ? total : open);
  hint(countVotes() + ' votes are loaded.');
}

for (const [name, button] of Object.entries(PLAYERS)) button.addEventListener('click', () => void play(name));
for (const [choice, button] of Object.entries(CHOICES)) button.addEventListener('click', () => vote(choice));
$('back').addEventListener('click', back);
$('forward').addEventListener('click', forward);
$('export').addEventListener('click', exportVotes);
$('load').addEventListener('change', (event) => {
  const [file] = event.target.files;
  if (file) void load(file);
  event.target.value = '';
});

const KEYS = {
  a: () => void play('left'),
  b: () => void play('right'),
  s: () => void play('source'),
  arrowleft: () => vote('left'),
  arrowright: () => vote('right'),
  arrowdown: () => vote('no difference'),
  x: () => vote('both bad'),
  backspace: back,
  enter: forward,
  e: exportVotes,
};

addEventListener('keydown', (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (!Object.hasOwn(KEYS, key)) return;
  // A button that has the focus, or the list of keys, takes this key itself.
  if (key === 'enter' && event.target !== document.body) return;
  event.preventDefault();
  KEYS[key]();
});

restore();
keep();
const open = firstOpen();
show(open < 0 ? total : open);
`;
