import { createHash } from 'node:crypto';
import { matchLoudness } from '../../audio/loudness.js';
import { encodeWav, type MonoRecording } from '../../audio/wav.js';

import { shuffled } from '../../random.js';
import type { Listening, ListeningPair } from '../../run/listening.js';
import { VOTES_FORMAT } from '../../run/votes-file.js';
import { escapeHtml, scriptJson } from '../escape.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

/** A blind-listening page: one HTML file that needs nothing else. */
export interface ListeningPage {
  /** A hash of what is on it; votes are kept under it. */
  id: string;
  html: string;
}

/**
 * Makes a page of pairs to be compared blindly: in random order, each system as often left as right, all sounds of a pair equally loud
 * (ITU-R BS.1770-4, see `matchLoudness`). What a listener sees and hears tells nothing of systems; the key to the sides is in the page, in
 * Base64, and the votes that the page exports are opened with it.
 *
 * @param options.seed of order and sides; the same pairs and seed make the same page
 */
export function listeningPage({ systems, pairs }: Listening, { seed }: { seed: number }): ListeningPage {
  const ordered = shuffled(pairs, seed, ORDER);
  const isSwapped = shuffled(
    ordered.map((_, i) => i % 2 === 1),
    seed,
    SIDES,
  );
  const shown = ordered.map((pair, i) => sidesOf(pair, systems, isSwapped[i]));
  const key = { systems, pairs: shown.map(({ hidden }) => hidden) };
  const heard = shown.map(({ heard }) => heard);
  const id = createHash('sha256')
    .update(JSON.stringify([heard, key]))
    .digest('hex')
    .slice(0, 12);
  const page = { id, format: VOTES_FORMAT, pairs: heard };
  return { id, html: pageHtml(page, Buffer.from(JSON.stringify(key)).toString('base64')) };
}

/** Streams of random numbers. */
const [ORDER, SIDES] = [0, 1];

/** What the listener gets of a pair, and what is hidden. */
function sidesOf(pair: ListeningPair, systems: Listening['systems'], isSwapped: boolean) {
  const { instruction, source, sourceSound, samples } = pair;
  const matched = matchLoudness([sourceSound, samples[0].sound, samples[1].sound]).recordings;
  const sides = samples.map(({ codes }, i) => ({ system: systems[i], codes, sound: matched[i + 1] }));
  const [left, right] = isSwapped ? sides.toReversed() : sides;
  return {
    heard: {
      instruction,
      source: wavOf(matched[0]),
      left: wavOf(left.sound),
      right: wavOf(right.sound),
    },
    hidden: {
      source,
      left: { system: left.system, codes: left.codes },
      right: { system: right.system, codes: right.codes },
    },
  };
}

function wavOf({ samples, sampleRateHz }: MonoRecording): string {
  return Buffer.from(encodeWav(samples, sampleRateHz)).toString('base64');
}

function pageHtml(page: { id: string; pairs: readonly object[] }, key: string): string {
  const count = page.pairs.length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src blob:; img-src data:">
<link rel="icon" href="data:,">
<title>Blind listening, ${count} pairs</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1>Blind listening</h1><span id="count"></span></header>
<progress id="progress" max="${count}" value="0" aria-label="pairs done"></progress>
<section id="pair">
<p class="task">The recording was to be edited like this:</p>
<h2 id="instruction"></h2>
${playButton('source', 'The recording before the edit', 'S')}
<div class="sides">
<div class="side">${playButton('left', 'A', 'A')}${choiceButton('left', 'A is better', '&larr;')}</div>
<div class="side">${playButton('right', 'B', 'B')}${choiceButton('right', 'B is better', '&rarr;')}</div>
</div>
<div class="neither">${choiceButton('same', 'No difference', '&darr;')}${choiceButton('bad', 'Both bad', 'X')}</div>
</section>
<section id="end" hidden>
<h2>Thank you.</h2>
<p id="summary"></p>
</section>
<p id="hint" role="status"></p>
<p id="unkept" class="warn" hidden>This browser does not keep your votes: download them before you close the page.</p>
<nav>
<button id="back">Back <kbd>&#9003;</kbd></button>
<button id="forward">Forward <kbd>&#9166;</kbd></button>
<span class="space"></span>
<label class="file">Load votes<input id="load" type="file" accept=".json,application/json"></label>
<button id="export">Download votes <kbd>E</kbd></button>
</nav>
<details><summary>Keys, and how this page works</summary>
<dl>
<dt><kbd>A</kbd> <kbd>B</kbd> <kbd>S</kbd></dt><dd>play A, B, the recording before the edit; again: stop</dd>
<dt><kbd>&larr;</kbd> <kbd>&rarr;</kbd></dt><dd>A is better, B is better</dd>
<dt><kbd>&darr;</kbd> <kbd>X</kbd></dt><dd>no difference, both bad</dd>
<dt><kbd>&#9003;</kbd> <kbd>&#9166;</kbd></dt><dd>back to the pair before, forward again</dd>
<dt><kbd>E</kbd></dt><dd>download the votes</dd>
</dl>
<p>You can choose once you have heard both. The sounds of a pair are equally loud (ITU-R BS.1770-4). Which is left and which is right is
random. Your votes stay in this browser until you download them: you may close the page and go on later, or load a file of votes that you
downloaded before. The page needs no network and sends nothing. Page ${escapeHtml(page.id)}.</p>
</details>
</main>
<script type="application/json" id="page">${scriptJson(page)}</script>
<script type="text/plain" id="key">${key}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function playButton(name: string, label: string, key: string): string {
  return `<button id="play-${name}" class="play" aria-label="${label}: play, stop" aria-keyshortcuts="${key}"><span class="name">${label}</span><kbd>${key}</kbd><i></i></button>`;
}

function choiceButton(id: string, label: string, key: string): string {
  return `<button id="${id}" class="choice" aria-pressed="false">${label} <kbd>${key}</kbd></button>`;
}
