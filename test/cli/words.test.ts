/** Runs and evaluations that are scored by what a recognizer hears, here a stand-in for Python with faster-whisper. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { READY, writeFakePython } from '../support/fake-faster-whisper.js';
import { findRun } from '../support/interrupted-run.js';
import { runCommand } from '../support/library-process.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const SMALL = (
  '--iterations 1 --train-prompts 2 --test-prompts 1 --audio-prompts 1 --sample-size 4 --num-eval 2 --max-new-tokens 30 ' +
  '--epochs 1 --pairs-per-prompt 1'
).split(' ');
/** An e for each frame of 20 ms at 16 kHz: with 30 of them as the text, the character error rate is the length's distance from 30. */
const HEARS_FRAMES = "'e'.repeat(Math.round(samples / 320))";
const TEXT = 'e'.repeat(30);

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
beforeEach(async () => {
  folder = temporaryFolder();
  await writeTinyModel(at('model'));
  const prompts = JSON.parse(readFileSync(at('model', 'prompts.json'), 'utf8')) as Record<string, object[]>;
  const train = prompts.train.map((item) => ({ ...item, text: TEXT }));
  // Of held-out ones it is what is heard in the source.
  const test = prompts.test.map((item) => ({ ...item, text: undefined }));
  writeFileSync(at('model', 'prompts.json'), JSON.stringify({ train, test }));
});

const run = (python: string, whisper: string, ...args: string[]) =>
  runCommand(
    ['run', '--reward', 'cer', '--no-guard', '--model', at('model'), '--output', folder, ...SMALL, ...args],
    {
      SPEECH_DPO_PYTHON: python,
      WHISPER_MODEL: whisper,
    },
  ).ended;

it('a run ranks by character errors, keeps both error rates, and knows its recognizer again', async () => {
  const { python, starts } = writeFakePython(READY, HEARS_FRAMES);
  expect(await run(python, 'faster-whisper')).toMatchObject({ code: 0, stderr: '' });
  expect(starts()).toHaveLength(1);

  const directory = findRun(folder)!;
  const output = directory.replace('model_output', 'output');
  const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
  const { parameters } = read(join(directory, 'run.json')) as { parameters: object };
  expect(parameters).toMatchObject({ reward: 'cer', transcriber: 'faster-whisper' });
  const data = read(join(output, 'data_iter_0.json')) as Record<string, number[]>;
  expect(data.chosen_cer.length).toBeGreaterThan(0);
  data.chosen_cer.forEach((cer, i) => {
    expect(cer).toBeLessThan(data.rejected_cer[i]);
    expect(data.chosen_rewards[i]).toBeCloseTo(1 - Math.min(1, cer), 12);
    expect(data.chosen_wer[i]).toBe(cer === 0 ? 0 : 1);
  });
  const { examples } = read(join(output, 'audio.json')) as { examples: { role: string; wer?: number }[] };
  for (const role of ['chosen', 'original', 'trained'])
    expect(examples.find((example) => example.role === role)?.wer, role).toBeTypeOf('number');
  expect(examples.find(({ role }) => role === 'source')!.wer).toBeTypeOf('number');
  const report = readFileSync(join(output, 'report.html'), 'utf8');
  expect(report).toMatch(/<span>reward \d\.\d\d, WER \d+ %<\/span>/);
  expect(report).toContain('characters heard right (1 - CER, 0 to 1)');

  const evaluated = await runCommand(
    ['eval', join(directory, 'iter_0'), '--reward', 'wer', '--indices', '0', '--samples', '2'].concat(
      '--transcriber',
      'faster-whisper',
    ),
    { SPEECH_DPO_PYTHON: python },
  ).ended;
  expect(evaluated).toMatchObject({ code: 0, stderr: '' });
  expect(read(join(output, 'eval_0_2_wer.json'))).toMatchObject({
    evaluation: { reward: 'wer', transcriber: 'faster-whisper' },
  });
});

it('a run without a recognizer is refused before anything is written', async () => {
  const { code, stderr } = await run('/nowhere/python', '');
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^error: the reward cer compares words with what a recognizer hears, and none is named: [^\n]*\n$/,
  );
  expect(existsSync(at('output'))).toBe(false);
  const missing = await run('/nowhere/python', '', '--transcriber', 'faster-whisper');
  expect(missing.stderr).toMatch(
    /^error: faster-whisper fails: cannot run \/nowhere\/python: [^\n]* -m pip install [^\n]*\n$/,
  );
  expect(existsSync(at('output'))).toBe(false);
});

it('a recognizer that crashes again and again stops the run with the reason, and nothing is trained', async () => {
  const { python, starts } = writeFakePython(READY, 'process.kill(process.pid, "SIGKILL")');
  const { code, stderr } = await run(python, 'faster-whisper');
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /the cer reward fails.*: faster-whisper fails: .* ended with SIGKILL; started anew: .* ended with SIGKILL\n/,
  );
  expect(starts()).toHaveLength(2);
  expect(existsSync(join(findRun(folder)!, 'iter_0'))).toBe(false);
});
