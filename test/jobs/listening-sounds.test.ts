import { expect, it } from 'vitest';
import { audible, type SilentPair } from '../../lib/jobs/listening-sounds.js';

const sound = { samples: new Float32Array([0.1, -0.1]), sampleRateHz: 16000 };
const pairOf = (code: number): SilentPair => {
  const item = { instruction: `number ${code}`, src_encodec: [[code], [9]] };
  return [
    { item, codes: [code] },
    { item, codes: [code, code] },
  ];
};

it('a pair of which one side has no sound is left out, and a sentence says so', () => {
  const sounds = { sound, sourceSound: sound };
  const notices: string[] = [];
  const options = { pairs: 3, onNotice: (sentence: string) => void notices.push(sentence) };
  const pairs = [pairOf(1), pairOf(2), pairOf(3)];
  const heard = audible(
    pairs,
    [
      [sounds, sounds, undefined],
      [sounds, undefined, sounds],
    ],
    options,
  );
  expect(heard).toEqual([
    {
      instruction: 'number 1',
      source: [1],
      sourceSound: sound,
      samples: [
        { codes: [1], sound },
        { codes: [1, 1], sound },
      ],
    },
  ]);
  expect(notices).toEqual([
    'the page has 1 of the 3 pairs that you asked for: no other pair has two different samples that can be heard',
  ]);
  expect(() => audible(pairs, [[], []], options)).toThrow('no prompt has two different samples');
});
