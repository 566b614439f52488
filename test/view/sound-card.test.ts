import { describe, expect, it } from 'vitest';
import type { AudioExample } from '../../lib/experiment/audio-examples.js';
import { clipRows, labelOf, preferRanked } from '../../lib/view/clips.js';
import { spectrogramPicture } from '../../lib/view/spectrogram-picture.js';

const of = (more: Partial<AudioExample>): AudioExample => ({
  file: 'audio/a.wav',
  role: 'trained',
  split: 'test',
  prompt: 0,
  instruction: 'Make it faster.',
  ...more,
});

describe('a spectrogram on axes', () => {
  const picture = (durationSeconds: number, maxHz: number, longestSeconds: number) =>
    spectrogramPicture({ durationSeconds, maxHz, spectrogram: 'data:,' }, longestSeconds);
  const labelsOf = (html: string) =>
    Array.from(html.matchAll(/px">([^<]+)<|#8a8a99">([^<]+)</g), (m) => m[1] ?? m[2]);

  it('has the same axes whatever the recording is', () => {
    const labels = ['8 kHz', '4', '2', '1', '0.5', '0', '0 s', '0.5', '1', '1.5'];
    expect(labelsOf(picture(2, 8000, 2))).toEqual(labels);
    expect(labelsOf(picture(0.5, 4000, 2))).toEqual(labels);
  });

  it('draws a recording as long and as high as it is on them', () => {
    // Slaney's scale: 4 kHz is 35.163 mel, 8 kHz is 45.245 mel; the picture is 120 pixels high.
    expect(picture(0.5, 4000, 2)).toContain('width:25.00%;max-width:none;height:93.3px;margin:26.7px 0 0 0');
    expect(picture(2, 8000, 2)).toContain('width:100.00%;max-width:none;height:120.0px;margin:0.0px 0 0 0');
  });

  it('has a few round seconds, however long it is', () => {
    expect(labelsOf(picture(1, 8000, 0.21)).slice(6)).toEqual(['0 s', '0.05', '0.1', '0.15']);
    expect(labelsOf(picture(1, 8000, 100)).slice(6)).toEqual(['0 s', '20', '40', '60', '80']);
  });
});

describe('clips', () => {
  it('are named with their place and their reward', () => {
    expect(labelOf(of({ standing: 'worst', sample: 4, reward: 1.5 }))).toBe(
      'held-out prompt 0, “Make it faster.”: trained policy, worst, sample 5, reward 1.50',
    );
    expect(labelOf(of({ role: 'chosen', split: 'train', iteration: 2, reward: -1 }))).toBe(
      'training prompt 0, “Make it faster.”: chosen, iteration 2, reward −1.00',
    );
  });

  it('stand in rows that one compares', () => {
    const examples = [
      of({ role: 'source' }),
      of({ role: 'original', standing: 'best' }),
      of({ role: 'original', standing: 'worst' }),
      of({ standing: 'best' }),
      of({ standing: 'worst' }),
    ];
    const rows = clipRows(examples, (each) => each);
    expect(rows.map(({ clips }) => clips.map((each) => examples.indexOf(each)))).toEqual([
      [0],
      [1, 3],
      [2, 4],
    ]);
  });

  it('are the samples chosen by reward, and the first ones where a prompt has no others', () => {
    const examples = [of({}), of({ standing: 'best' }), of({ prompt: 1 }), of({ prompt: 1, role: 'source' })];
    expect(preferRanked(examples)).toEqual(examples.slice(1));
  });
});
