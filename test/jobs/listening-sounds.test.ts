import { expect, it, vi } from 'vitest';
import type * as Synthesize from '../../lib/experiment/synthesize.js';
import { audible, soundsOf, type OpenedPolicy, type SilentPair } from '../../lib/jobs/listening-sounds.js';
import type * as Open from '../../lib/jobs/open.js';

const LONGEST = 2;
// A sound's samples are its codes.
vi.mock('../../lib/experiment/synthesize.js', async (importOriginal) => ({
  ...(await importOriginal<typeof Synthesize>()),
  synthesize: (_: unknown, completions: readonly Synthesize.ItemCompletion[]) =>
    Promise.resolve(completions.map(({ codes }) => Float32Array.from(codes))),
}));
vi.mock('../../lib/jobs/open.js', async (importOriginal) => ({
  ...(await importOriginal<typeof Open>()),
  openModel: () =>
    Promise.resolve({
      codec: {
        sampleRateHz: 16000,
        decode: ([codes]: number[][]) => Promise.resolve(Float32Array.from(codes)),
      },
      partner: { maxFrames: LONGEST },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
}));

const [sound, other, sourceSound] = [0.1, 0.2, 0.3].map((value) => ({
  samples: new Float32Array([value, -value]),
  sampleRateHz: 16000,
}));
const pairOf = (code: number): SilentPair => {
  const item = { instruction: `number ${code}`, src_encodec: [[code], [9]] };
  return [
    { item, codes: [code] },
    { item, codes: [code, code] },
  ];
};

it('a pair of which one side has no sound is left out, and a sentence says so', () => {
  const sounds = { sound, sourceSound };
  const others = { sound: other, sourceSound };
  const notices: string[] = [];
  const options = { pairs: 3, onNotice: (sentence: string) => void notices.push(sentence) };
  const pairs = [pairOf(1), pairOf(2), pairOf(3)];
  const heard = audible(
    pairs,
    [
      [sounds, sounds, undefined],
      [others, undefined, others],
    ],
    options,
  );
  expect(heard).toEqual([
    {
      instruction: 'number 1',
      source: [1],
      sourceSound,
      samples: [
        { codes: [1], sound },
        { codes: [1, 1], sound: other },
      ],
    },
  ]);
  expect(notices).toEqual([
    'the page has 1 of the 3 pairs that you asked for: no other pair has two different samples that can be heard',
  ]);
  expect(() => audible(pairs, [[], []], options)).toThrow('no prompt has two different samples');
});

it('each sound is of its completion, also where one among them is too long to have any', async () => {
  const completions = Array.from({ length: 20 }, (_, i) => ({
    item: { instruction: '', src_encodec: [[100 + i]], tgt_encodec: [] },
    // As long as can be, too long, and shorter.
    codes: [[i, i], [i, i, i], [i]][i % 3],
  }));
  const opened = { run: { record: { parameters: {} } }, iteration: 0 } as unknown as OpenedPolicy;
  const sounding = soundsOf(opened, completions, {} as Open.OpenDevice, {});
  let next = await sounding.next();
  while (!next.done) next = await sounding.next();
  const heard = next.value.map((each) => each && [...each.sound.samples, ...each.sourceSound.samples]);
  expect(heard).toEqual(completions.map(({ codes }, i) => (i % 3 === 1 ? undefined : [...codes, 100 + i])));
});
