/** A page of made-up pairs: what is on it, and what becomes of votes on it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gatedLoudness } from '../../lib/audio/loudness.js';
import { main } from '../../lib/cli/main.js';
import type { Listening, ListeningPair } from '../../lib/run/listening.js';
import { readPairsFile } from '../../lib/run/pairs-file.js';
import { listeningPage } from '../../lib/view/listening/page.js';
import { readPage, soundOf, votesOf } from '../support/listening-page.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { captureTerminal } from '../support/terminal.js';

const terminal = captureTerminal();
const SAMPLE_RATE_HZ = 16000;
const tone = (hertz: number, amplitude: number, seconds: number) => ({
  samples: Float32Array.from(
    { length: seconds * SAMPLE_RATE_HZ },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hertz * i) / SAMPLE_RATE_HZ),
  ),
  sampleRateHz: SAMPLE_RATE_HZ,
});

/** The first system is loud and writes its pair's number three times, the second is faint and writes 100 plus that. */
const pairOf = (i: number): ListeningPair => ({
  instruction: `Make it </script><b>${i}`,
  source: [i, i],
  sourceSound: tone(500, 0.3, 0.5),
  samples: [
    { codes: [i, i, i], sound: tone(300 + i, 0.99, 0.6) },
    { codes: [100 + i], sound: tone(2000 + i, 0.001, 0.5) },
  ],
});
const listening: Listening = {
  systems: ['bold', 'shy'],
  pairs: Array.from({ length: 10 }, (_, i) => pairOf(i)),
};
const { id, html } = listeningPage(listening, { seed: 42 });
const page = readPage(html);

async function command(...args: string[]): Promise<number> {
  [terminal.printed, terminal.complained] = ['', ''];
  return main(args, new AbortController().signal);
}

function written(votes: object): string {
  const path = join(temporaryFolder(), 'votes.json');
  writeFileSync(path, JSON.stringify(votes));
  return path;
}

describe('a page', () => {
  it('holds every pair once, in an order and with sides that come from the seed, each system as often left as right', () => {
    const numbers = page.key.pairs.map(({ source }) => source[0]);
    expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const [i, { source, left, right }] of page.key.pairs.entries()) {
      const [bold, shy] = left.system === 'bold' ? [left, right] : [right, left];
      expect(bold).toEqual({ system: 'bold', codes: [source[0], source[0], source[0]] });
      expect(shy).toEqual({ system: 'shy', codes: [100 + source[0]] });
      expect(page.pairs[i].instruction).toBe(pairOf(source[0]).instruction);
      // The sound is that of the side: the bold one's is longer.
      const seconds = [page.pairs[i].left, page.pairs[i].right].map((sound) => soundOf(sound).samples.length);
      expect(seconds[0] > seconds[1]).toBe(left.system === 'bold');
    }
    expect(page.key.pairs.filter(({ left }) => left.system === 'bold')).toHaveLength(5);
    expect(listeningPage(listening, { seed: 42 }).html === html).toBe(true);
    const other = listeningPage(listening, { seed: 43 });
    expect(other.id).not.toBe(id);
    expect(readPage(other.html).key.pairs).not.toEqual(page.key.pairs);
  });

  it('makes all sounds of a pair equally loud', () => {
    for (const { source, left, right } of page.pairs)
      for (const sound of [source, left, right])
        // 16 bits of a sample round by some thousandths of a decibel.
        expect(Math.abs(gatedLoudness(soundOf(sound)) + 23)).toBeLessThan(0.02);
  });

  it('tells nothing of which is which, and needs nothing else', () => {
    for (const word of ['bold"', 'shy"', 'codes"', 'system"']) expect(html.includes(word), word).toBe(false);
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    // An instruction ends no script.
    expect(html.match(/<\/script>/g)).toHaveLength(3);
  });
});

describe('votes', () => {
  it('make pairs of what was chosen and what was not; ties and two bad ones make none', async () => {
    const choices = ['left', 'right', 'no difference', 'both bad'] as const;
    const all = votesOf(page, (_, i) => choices[i % 4]);
    // The listener has not come to the end.
    const votes = { ...all, votes: all.votes.slice(0, 9) };
    const path = written(votes);
    const { rows, notices } = await readPairsFile(path);
    expect(rows).toHaveLength(5);
    expect(rows[1]).toEqual({
      instruction: page.pairs[1].instruction,
      source: page.key.pairs[1].source,
      chosen: page.key.pairs[1].right.codes,
      rejected: page.key.pairs[1].left.codes,
      chosenReward: 1,
      rejectedReward: 0,
      averageReward: 0.5,
      details: {},
    });
    expect(notices).toEqual([
      `${path}: 9 votes on 10 pairs make 5 pairs to train on ("no difference": 2, "both bad": 2, which make none)`,
    ]);
  });

  it('are counted by system, with intervals and a test, those of several listeners together', async () => {
    const others = ['no difference', 'both bad', 'no difference', 'both bad'] as const;
    // Five votes for the bold one, one for the shy one.
    const paths = ['one', 'two'].map((listener) =>
      written(
        votesOf(
          page,
          ({ left }, i) => (i < 6 ? ((left.system === 'bold') === i < 5 ? 'left' : 'right') : others[i - 6]),
          listener,
        ),
      ),
    );
    expect(await command('votes', ...paths)).toBe(0);
    // Of statsmodels and SciPy: proportion_confint(10, 12, method="wilson"), binomtest(10, 12).
    expect(terminal.printed).toContain('bold against shy: 20 votes, 2 listeners\n');
    expect(terminal.printed).toMatch(/bold preferred +10 {2}83 % of 12, 95 % interval 55 % to 95 %\n/);
    expect(terminal.printed).toMatch(/shy preferred +2 {2}17 % of 12, 95 % interval 5 % to 45 %\n/);
    expect(terminal.printed).toMatch(/no difference +4\n {2}both bad +4\n/);
    expect(terminal.printed).toContain('sign test over the 12 votes for a side: p = 0.039;');
    expect(await command('votes', '--json', ...paths)).toBe(0);
    expect(JSON.parse(terminal.printed)).toMatchObject([
      { systems: ['bold', 'shy'], wins: [10, 2], listeners: 2 },
    ]);

    expect(await command('votes', written(votesOf(page, () => 'both bad')))).toBe(0);
    expect(terminal.printed).toContain('nobody preferred a side');
  });

  it('that are no votes, or given twice, are refused in a sentence', async () => {
    const votes = votesOf(page, () => 'left');
    const path = written(votes);
    expect(await command('votes', path, written(votes))).toBe(2);
    expect(terminal.complained).toContain('exports of one listener from one page: give the later one only');
    expect(await command('votes', written({ ...votes, votes: [] }))).toBe(2);
    expect(terminal.complained).toContain('holds no vote');
    expect(await command('votes', written({ prompt: [] }))).toBe(2);
    expect(terminal.complained).toContain(
      'holds no votes: give a file that the page of speech-dpo listen exported',
    );
  });

  it.each([
    [
      'for no side',
      votesOf(page, () => 'both bad'),
      'none of its 10 votes is for a side ("no difference": 0, "both bad": 10)',
    ],
    [
      'of another version',
      { ...votesOf(page, () => 'left'), format: 'speech-dpo votes, version 9' },
      'votes.json: format:',
    ],
    [
      'two of one pair',
      (({ votes, ...rest }) => ({ ...rest, votes: [votes[0], votes[0]] }))(votesOf(page, () => 'left')),
      'two votes are of one pair',
    ],
    [
      'with half a code',
      (({ votes: [first], ...rest }) => ({
        ...rest,
        votes: [{ ...first, left: { ...first.left, codes: [1.5] } }],
      }))(votesOf(page, () => 'left')),
      'votes[0].left.codes[0]',
    ],
    [
      'with half a character',
      (({ votes: [first], ...rest }) => ({ ...rest, votes: [{ ...first, instruction: 'half \ud800' }] }))(
        votesOf(page, () => 'left'),
      ),
      'the instruction holds half a character',
    ],
    [
      'of other systems',
      { ...votesOf(page, () => 'left'), systems: ['bold', 'third'] },
      'a vote is of other systems than the page compares',
    ],
  ])('%s train nothing', async (_, votes, sentence) => {
    expect(await command('train', '--pairs', written(votes), '--output', temporaryFolder())).toBe(2);
    expect(terminal.complained).toContain(sentence);
  });
});
