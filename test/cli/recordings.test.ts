/** A person's own recordings from WAV files to an edited WAV file, by the commands of docs/checkpoints.md. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readWav, writeWav } from '../../lib/audio/wav.js';
import { main } from '../../lib/cli/main.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { temporaryFolder } from '../support/temporary-folder.js';

beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Another rate than the codec's, which is 16 kHz. */
const SAMPLE_RATE_HZ = 22_050;
const tone = (seconds: number, hertz: number) =>
  Float32Array.from({ length: seconds * SAMPLE_RATE_HZ }, (_, i) =>
    Math.sin((2 * Math.PI * hertz * i) / SAMPLE_RATE_HZ),
  );

async function run(...args: string[]): Promise<void> {
  expect(await main(args, new AbortController().signal), args.join(' ')).toBe(0);
}

it('two recordings are prepared, trained on, evaluated and edited', async () => {
  const [folder, model] = [temporaryFolder(), temporaryFolder()];
  await writeTinyModel(model);
  const path = (...parts: string[]) => join(folder, ...parts);
  for (const [name, seconds, hertz] of [
    ['slow.wav', 0.8, 220],
    ['fast.wav', 0.4, 220],
    ['low.wav', 0.6, 110],
    ['high.wav', 0.6, 330],
  ] as const) {
    await writeWav(path(name), tone(seconds, hertz), SAMPLE_RATE_HZ);
  }
  writeFileSync(
    path('lines.txt'),
    'slow.wav\tMake it faster.\tfast.wav\nlow.wav\tRaise the pitch.\thigh.wav\n',
  );

  const data = path('data.jsonl');
  await run(
    'prepare',
    '--wav',
    folder,
    '--instructions',
    path('lines.txt'),
    '--output',
    data,
    '--model',
    model,
  );
  const small =
    '--iterations 1 --train-prompts 1 --test-prompts 1 --audio-prompts 1 --sample-size 6 --num-eval 1 --max-new-tokens 30 --epochs 1';
  await run('even-token', '--model', model, '--data', data, '--output', folder, ...small.split(' '));
  const [name] = readdirSync(path('output'));
  const checkpoint = path('model_output', name, 'iter_0', 'dpo_model');
  const pairs = path('output', name, 'data_iter_0.json');
  await run('train', '--pairs', pairs, '--policy', checkpoint, '--output', folder);
  const next = readdirSync(path('output')).find((other) => other !== name)!;
  const weights = (run: string) =>
    readFileSync(path('model_output', run, 'iter_0', 'dpo_model', 'model.safetensors'));
  expect(weights(next).equals(weights(name))).toBe(false);

  const evaluation = ['--reward', 'length', '--indices', '0', '--samples', '2'];
  await run('eval', path('model_output', next, 'iter_0'), ...evaluation);
  const { rewards } = JSON.parse(readFileSync(path('output', next, 'eval_0_2_length.json'), 'utf8')) as {
    rewards: number[];
  };
  expect(rewards).toHaveLength(2);

  const heard = readdirSync(path('output', name, 'audio')).filter((file) => file.endsWith('.wav'));
  expect(heard.length).toBeGreaterThan(0);
  const edited = path('edited.wav');
  const trained = path('model_output', next, 'iter_0', 'dpo_model');
  const edit = ['--wav', path('slow.wav'), '--instruction', 'Make it faster.', '--output', edited];
  await run('edit', ...edit, '--model', model, '--policy', trained, '--seed', '3');
  expect(existsSync(edited)).toBe(true);
  const { channels, sampleRateHz } = await readWav(edited);
  expect(sampleRateHz).toBe(16_000);
  expect(channels[0].some((sample) => Math.abs(sample) > 1e-4)).toBe(true);

  const complaints = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const before = [data, edited].map((file) => readFileSync(file));
  for (const again of [
    ['edit', ...edit, '--model', model, '--policy', trained, '--seed', '4'],
    ['prepare', '--wav', folder, '--instructions', path('lines.txt'), '--output', data, '--model', model],
  ]) {
    const output = again[again.indexOf('--output') + 1];
    expect(await main(again, new AbortController().signal)).toBe(2);
    expect(complaints).toHaveBeenLastCalledWith(
      `error: ${output} is there already: name another file with --output, or replace it with --overwrite\n`,
    );
    await run(...again, '--overwrite');
  }
  const after = [data, edited].map((file) => readFileSync(file));
  expect(after.map((file, i) => file.equals(before[i]))).toEqual([true, false]);
});

it('a recording without samples is called empty, and nothing is made of it', async () => {
  const [folder, model] = [temporaryFolder(), temporaryFolder()];
  await writeTinyModel(model);
  const wav = join(folder, 'empty.wav');
  await writeWav(wav, new Float32Array(0), SAMPLE_RATE_HZ);
  const edit = ['--wav', wav, '--instruction', 'Make it faster.', '--output', join(folder, 'edited.wav')];
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(await main(['edit', ...edit, '--model', model], new AbortController().signal)).toBe(2);
  expect(stderr.mock.calls.join('')).toContain(`${wav} is empty: it has no samples.`);
});

it('an instruction that is empty or too long and a recording that is too long are refused, the latter with the limit in seconds', async () => {
  const folder = temporaryFolder();
  const wav = join(folder, 'long.wav');
  await writeWav(wav, tone(6, 220), SAMPLE_RATE_HZ);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const edit = (instruction: string) =>
    main(
      ['edit', '--wav', wav, '--instruction', instruction, '--output', join(folder, 'edited.wav')],
      new AbortController().signal,
    );
  expect(await edit('  ')).toBe(2);
  expect(stderr.mock.calls.join('')).toContain('error: the instruction is empty: ');
  expect(await edit('Make it faster. '.repeat(100))).toBe(2);
  expect(stderr.mock.calls.join('')).toMatch(
    /error: the instruction "Make it faster\. Make it faster\. Make it \.\.\." is too long: its \d+ ids leave no room /,
  );
  expect(await edit('Make it faster.')).toBe(2);
  // What --help says of the embedded model.
  expect(stderr.mock.calls.join('')).toMatch(
    /long\.wav lasts 6\.00 s, and with this instruction the model edits at most 4\.[89]\d s: /,
  );
  expect(readdirSync(folder)).toEqual(['long.wav']);
});

it('a recording is refused for its length before it is resampled, which of hours takes minutes', async () => {
  const folder = temporaryFolder();
  const wav = join(folder, 'long.wav');
  // From this rate there is no way to the codec's.
  await writeWav(wav, new Float32Array(6 * 50_021), 50_021);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const output = join(folder, 'edited.wav');
  const edit = ['edit', '--wav', wav, '--instruction', 'Make it faster.', '--output', output];
  expect(await main(edit, new AbortController().signal)).toBe(2);
  expect(stderr.mock.calls.join('')).toMatch(/long\.wav lasts 6\.00 s, /);
});
