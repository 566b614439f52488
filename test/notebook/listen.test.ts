import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { encodeWav, parseWav } from '../../lib/audio/wav.js';
import type { AudioExample } from '../../lib/experiment/audio-examples.js';
import { listen, players, type ClipChoice } from '../../lib/notebook/listen.js';
import { audioSections } from '../../lib/view/report/audio-section.js';
import { SAMPLE_RATE_HZ, tone, writeFixtureRun } from '../view/fixture-run.js';

const roots: string[] = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

/** A run with two clips of each held-out prompt; `write` makes their files. */
async function runWithClips(prompts: number, wav: Uint8Array): Promise<string> {
  const examples = Array.from({ length: prompts }, (_, prompt) =>
    (['source', 'trained'] as const).map((role): AudioExample => ({
      file: `audio/test_${prompt}_${role}.wav`,
      role,
      split: 'test',
      prompt,
      instruction: 'Make it faster.',
    })),
  ).flat();
  const { root, outputDirectory } = await writeFixtureRun({ examples });
  roots.push(root);
  for (const { file } of examples) await writeFile(join(outputDirectory, file), wav);
  return outputDirectory;
}

/** The WAV files inside a page's players. */
function soundsOf(html: string): Buffer[] {
  return Array.from(html.matchAll(/<audio [^>]*src="data:audio\/wav;base64,([^"]+)"/g), ([, base64]) =>
    Buffer.from(base64, 'base64'),
  );
}

const count = (html: string, what: string) => html.split(what).length - 1;

it('takes the clips that are asked for', async () => {
  const example = (name: string, more: Partial<AudioExample> = {}): AudioExample => ({
    ...{ file: `audio/${name}.wav`, role: 'trained', split: 'test', prompt: 0, instruction: 'Faster' },
    ...more,
  });
  const chosen = { split: 'train', role: 'chosen' } as const;
  const examples = [
    ...[example('first'), example('second', { prompt: 1 }), example('source', { role: 'source' })],
    ...[example('best', { standing: 'best' }), example('train', { ...chosen, role: 'source' })],
    ...[example('pair-0', { ...chosen, iteration: 0 }), example('pair-1', { ...chosen, iteration: 1 })],
  ];
  const { root, outputDirectory } = await writeFixtureRun({ examples });
  roots.push(root);
  const heard = async (choice: ClipChoice) =>
    (await listen(outputDirectory, choice)).text.match(/[\w-]+(?=\.wav)/g)!.sort();
  expect(await heard({ split: 'test' })).toEqual(['first', 'second', 'source']);
  expect(await heard({ split: 'test', prompts: 1 })).toEqual(['first', 'source']);
  expect(await heard({ split: 'test', roles: ['trained'] })).toEqual(['first', 'second']);
  expect(await heard({ split: 'test', samples: 'ranked' })).toContain('best');
  expect(await heard({ split: 'train', iteration: 1 })).toEqual(['pair-1', 'train']);
});

it('puts a little sound in as it is', async () => {
  const wav = encodeWav(tone(1), SAMPLE_RATE_HZ);
  const { html } = await listen(await runWithClips(4, wav), { split: 'test' });
  const sounds = soundsOf(html);
  expect(sounds).toHaveLength(8);
  for (const sound of sounds) expect(sound.equals(wav)).toBe(true);
  expect(html).not.toContain('in 8 bits');
});

it('puts more sound in in 8 bits, all of it alike, and says so', async () => {
  const output = await runWithClips(7, encodeWav(tone(2), SAMPLE_RATE_HZ));
  const { html } = await listen(output, { split: 'test' });
  const sounds = soundsOf(html);
  expect(sounds).toHaveLength(14);
  for (const sound of sounds) {
    expect(sound.length).toBeLessThan(33_000);
    const { channels, sampleRateHz } = parseWav(sound, 'inside');
    expect(channels[0].length / sampleRateHz).toBe(2);
  }
  expect(html).toContain('in 8 bits');
  const whole = await listen(output, { split: 'test', embed: 'all' });
  expect(soundsOf(whole.html).map(({ length }) => length)).toEqual(sounds.map(() => 64_044));
  expect(whole.html).not.toContain('in 8 bits');
});

it('names the files of what is too much, the first prompts are heard', async () => {
  const wav = Buffer.from(encodeWav(tone(1), SAMPLE_RATE_HZ));
  const rest = Buffer.alloc(3_400_000);
  rest.write('LIST');
  rest.writeUInt32LE(rest.length - 8, 4);
  const output = await runWithClips(3, Buffer.concat([wav, rest]));
  const { html } = await listen(output, { split: 'test' });
  expect(soundsOf(html)).toHaveLength(2);
  expect(count(html, '<audio')).toBe(2);
  expect(count(html, 'Not in this notebook')).toBe(4);
  for (const prompt of [1, 2]) {
    for (const role of ['source', 'trained']) {
      expect(html).toContain(
        `output/0601-1200/audio/test_${prompt}_${role}.wav. The option embed: &#39;all&#39;`,
      );
    }
  }
});

it('plays recordings, or says why not', () => {
  const recording = (name: string, samples: Float32Array) => ({
    name,
    samples,
    sampleRateHz: SAMPLE_RATE_HZ,
  });
  expect(players([]).text).toBe('No recordings.');
  const silent = recording('none', new Float32Array(0));
  const { html } = players([silent, recording('a', tone(1)), recording('b.WAV', tone(2))]);
  expect(soundsOf(html)).toHaveLength(2);
  for (const name of ['a.wav', 'b.WAV']) expect(html).toContain(`data-longest="2" data-file="${name}"`);
  expect(html).toContain('It holds no sound.');
  const long = new Float32Array(5_100_000).fill(0.1);
  const tooMuch = players([recording('long', long)]).html;
  expect(tooMuch).toContain('Not in this notebook');
  expect(soundsOf(tooMuch)).toHaveLength(0);
});

it('says in a report which players play files beside it', async () => {
  const output = await runWithClips(2, encodeWav(tone(1), SAMPLE_RATE_HZ));
  const { comparison, notes } = await audioSections(output, { asTheyAre: 60_000, compressed: 40_000 });
  expect(soundsOf(comparison)).toHaveLength(2);
  expect(comparison).toContain(
    'src="audio/test_1_trained.wav"></audio><p class="note">plays audio/test_1_trained.wav, not inside this page</p>',
  );
  const all = 'speech-dpo report --all-audio output/0601-1200';
  expect(notes).toHaveLength(2);
  for (const note of notes) expect(note).toContain(all);
});

it('says what is wrong with a file that holds no sound', async () => {
  const output = await runWithClips(1, encodeWav(new Float32Array(0), SAMPLE_RATE_HZ));
  const { html } = await listen(output, { split: 'test' });
  expect(html).toContain('audio/test_0_source.wav holds no sound');
  expect((await readFile(join(output, 'audio/test_0_source.wav'))).length).toBe(44);
});
