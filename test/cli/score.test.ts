import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { encodeWav } from '../../lib/audio/wav.js';
import { main } from '../../lib/cli/main.js';
import { formatScores } from '../../lib/cli/score.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeToneWhisper } from '../support/tone-whisper.js';
import { captureTerminal } from '../support/terminal.js';

const terminal = captureTerminal();
let folder: string;
const tone = Float32Array.from({ length: 16000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 441 * i) / 16000));

beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder, 'tone.wav'), encodeWav(tone, 16000));
  writeFileSync(join(folder, 'nothing.wav'), encodeWav(tone.map(() => 0), 16000)); // prettier-ignore
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const at = (name: string) => join(folder, name);
const score = (...args: string[]) => main(['score', ...args], new AbortController().signal);

it('prints JSON by file and metric; what is not finite is null', async () => {
  expect(await score(at('tone.wav'), at('nothing.wav'), '--metric', 'silence', '--json')).toBe(0);
  expect(JSON.parse(terminal.printed)).toEqual({
    [at('tone.wav')]: {
      silence: {
        levelDb: expect.closeTo(-9.03, 2),
        peakDb: expect.closeTo(-6.02, 2),
        silentShare: 0,
        clippedShare: 0,
      },
    },
    [at('nothing.wav')]: { silence: { levelDb: null, peakDb: null, silentShare: 1, clippedShare: 0 } },
  });
  expect(terminal.complained).toBe('');
});

it('prints a table, tells of a file that is missing, and ends with code 2', async () => {
  expect(await score(at('tone.wav'), at('missing.wav'), '--metric', 'silence')).toBe(2);
  const [head, , first, second] = terminal.printed.split('\n');
  expect(head).toMatch(/^file +silence levelDb +silence peakDb +silence silentShare +silence clippedShare$/);
  expect(first).toMatch(/tone\.wav +−9\.03\d +−6\.02\d +0\.000 +0\.000$/);
  expect(second).toMatch(/missing\.wav +- +- +- +-$/);
  expect(terminal.complained).toBe(`error: ${at('missing.wav')} does not exist.\n`);
});

it('prints the level of silence as no level at all', async () => {
  expect(await score(at('nothing.wav'), '--metric', 'silence')).toBe(0);
  expect(terminal.printed).toMatch(/nothing\.wav +−∞ +−∞ +1\.000 +0\.000\n/);
});

it('keeps to JSON where a file fails', async () => {
  expect(await score(at('missing.wav'), '--metric', 'silence', '--json')).toBe(2);
  expect(JSON.parse(terminal.printed)).toEqual({
    [at('missing.wav')]: { error: `${at('missing.wav')} does not exist.` },
  });
});

it('prints what is scored by then when a metric fails', async () => {
  const python = at('python');
  // Stands in for Python: is killed at a recording of 5000 samples.
  writeFileSync(
    python,
    `#!${process.execPath}
    const { lengths } = JSON.parse(process.argv.at(-1));
    if (lengths.includes(5000)) process.kill(process.pid, 'SIGKILL');
    console.log(JSON.stringify(lengths.slice(1).map(() => ({ wb: 3 }))));`,
    { mode: 0o755 },
  );
  vi.stubEnv('SPEECH_DPO_PYTHON', python);
  const files = Array.from({ length: 65 }, (_, i) => at(`${i}.wav`));
  files.forEach((file, i) => writeFileSync(file, encodeWav(tone.subarray(0, i === 64 ? 5000 : 4000), 16000)));
  expect(await score(...files, '--metric', 'pesq', '--reference', at('tone.wav'), '--json')).toBe(2);
  expect(Object.keys(JSON.parse(terminal.printed) as object)).toEqual(files.slice(0, 64));
  expect(terminal.complained).toContain(`error: pesq cannot score ${at('64.wav')}: PESQ fails: `);
});

it('looks at the files before it loads what scores them', async () => {
  vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
  writeFileSync(at('text.wav'), 'no sound at all');
  expect(await score(at('missing.wav'), at('text.wav'), '--metric', 'nisqa')).toBe(2);
  expect(terminal.complained).toMatch(
    /^error: \S+missing\.wav does not exist\.\nerror: \S+text\.wav: not a WAV file [^\n]+\n$/,
  );
});

it('gives what it can where one metric is missing, and says which and why', async () => {
  vi.stubEnv('NISQA_WEIGHTS', '/nowhere/nisqa.tar');
  expect(await score(at('tone.wav'), '--metric', 'nisqa,silence')).toBe(2);
  expect(terminal.printed).toMatch(/^file +silence levelDb [^]*tone\.wav +−9\.03/);
  expect(terminal.printed).not.toContain('nisqa');
  expect(terminal.complained).toMatch(
    /^error: nisqa is left out: NISQA weights not found: [^\n]*\/nowhere\/nisqa\.tar[^\n]*\n$/,
  );
  terminal.complained = '';
  expect(await score(at('tone.wav'), '--metric', 'nisqa')).toBe(2);
  expect(terminal.complained).toMatch(/^error: NISQA weights not found: [^\n]*\n$/);
});

it('ends with code 1 where a recording that can be read has no score', async () => {
  writeFileSync(at('short.wav'), encodeWav(tone.subarray(0, 8000), 16000));
  expect(await score(at('short.wav'), '--metric', 'stoi', '--reference', at('tone.wav'))).toBe(1);
  expect(terminal.complained).toMatch(/^error: \S+short\.wav: stoi: [^\n]+\n$/);
});

it.each([80, 100, 120])('its table fits %i columns', (columns) => {
  const figures = { mos: 3.5, noisiness: 3.25, coloration: 3, discontinuity: 4, loudness: 4 };
  const results = new Map([[`${'recordings/'.repeat(6)}a.wav`, { nisqa: figures, silence: { levelDb: -20, peakDb: -3 } }]]); // prettier-ignore
  const lines = formatScores(results, ['nisqa', 'silence'], columns).split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
  for (const title of ['nisqa discontinuity', 'silence peakDb']) expect(lines.join('\n')).toContain(title);
});

it('writes what it hears, and how that differs from what was said', async () => {
  vi.stubEnv('WHISPER_MODEL', writeToneWhisper());
  expect(await score(at('tone.wav'), '--metric', 'transcript,wer', '--text', 'A high tone!')).toBe(0);
  expect(terminal.printed.split('\n')).toEqual([
    expect.stringMatching(/^file +wer +wer hits +wer substitutions +wer deletions +wer insertions$/),
    expect.stringMatching(/^-/),
    expect.stringMatching(/tone\.wav +0\.333 +2\.000 +1\.000 +0\.000 +0\.000$/),
    '',
    `${at('tone.wav')}, transcript:`,
    'a low tone',
    '',
    `${at('tone.wav')}, wer transcript:`,
    'a low tone',
    '',
    `${at('tone.wav')}, wer alignment:`,
    'REF: a high tone',
    'HYP: a low  tone',
    '       S',
    '',
  ]);
});

it('counts characters too, of what the recognizer that is named hears', async () => {
  vi.stubEnv('WHISPER_MODEL', '/nowhere/whisper');
  const args = ['--metric', 'cer,wer', '--text', 'A high tone!', '--transcriber', writeToneWhisper()];
  expect(await score(at('tone.wav'), ...args, '--json')).toBe(0);
  const scores = (JSON.parse(terminal.printed) as Record<string, object>)[at('tone.wav')];
  // "high" becomes "low" by four edits of eleven characters.
  expect(scores).toMatchObject({ cer: { cer: 4 / 11, transcript: 'a low tone' }, wer: { wer: 1 / 3 } });
});

it.each([
  [
    ['--metric', 'silence,loudness'],
    'There is no metric "loudness"; known are nisqa, dnsmos, silence, transcript, stoi, estoi, pesq, wer',
  ],
  [['--metric', ''], 'There is no metric ""'],
  [['--metric', 'wer'], 'wer compares with what was said: give it with --text "THE WORDS"'],
  [['--metric', 'wer,cer'], 'wer and cer compare with what was said: give it with --text "THE WORDS"'],
  [['--metric', 'silence,stoi'], 'stoi compares with a reference: give one with --reference FILE'],
])('ends with code 2 for wrong usage (%s)', async (args, message) => {
  expect(await score(at('tone.wav'), ...args)).toBe(2);
  expect(terminal.complained).toContain(message);
  expect(terminal.printed).toBe('');
});

it('ends with code 2 without files', async () => {
  expect(await score()).toBe(2);
});

it('has a column for a metric of one figure', () => {
  const results = new Map([['a.wav', { stoi: 0.5, pesq: { wb: 1.25 } }], ['b.wav', { stoi: 1 }]]); // prettier-ignore
  expect(formatScores(results, ['stoi', 'pesq']).split('\n')).toEqual([
    'file    stoi  pesq wb',
    '-----  -----  -------',
    'a.wav  0.500    1.250',
    'b.wav  1.000        -',
  ]);
});
