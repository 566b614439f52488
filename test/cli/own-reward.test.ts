/** A reward of a person's own on the command line: from a module, from an address, in a run that goes on. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findRun, readRunFiles } from '../support/interrupted-run.js';
import { runCommand } from '../support/library-process.js';
import { startRewardServer } from '../support/reward-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const SMALL = (
  '--iterations 2 --train-prompts 2 --test-prompts 1 --audio-prompts 0 --sample-size 3 --num-eval 3 --max-new-tokens 30 ' +
  '--epochs 2 --pairs-per-prompt 1'
).split(' ');

/** Needs no import: a reward is an object. */
const moduleOf = (name: string) => `export default {
  name: '${name}',
  label: 'codes that differ',
  listens: false,
  async score(samples) {
    return samples.map(({ codes }) => ({ reward: codes.filter((code, i) => code !== codes[i - 1]).length }));
  },
};`;

async function setUp() {
  const folder = temporaryFolder();
  const model = join(folder, 'model');
  await writeTinyModel(model);
  const file = join(folder, 'restless.mjs');
  writeFileSync(file, moduleOf('restless'));
  const run = (output: string, reward: string) =>
    runCommand(['run', '--reward', reward, '--model', model, '--output', join(folder, output), ...SMALL]);
  return { folder, file, run };
}

it('a run from a module is stopped, goes on with it to the same bytes, and is refused without it', async () => {
  const { folder, file, run } = await setUp();
  expect(await run('whole', file).ended).toMatchObject({ code: 0 });

  const { child, ended } = run('stopped', file);
  child.stdout.on('data', (text: string) => {
    if (text.includes('saved iter_0')) child.kill('SIGINT');
  });
  const stopped = await ended;
  expect(stopped.code).toBe(130);
  expect(stopped.stderr).toContain(`stopped/model_output/`);
  expect(stopped.stderr).toContain(` --reward ${file}\n`);
  const directory = findRun(join(folder, 'stopped'))!;
  const resume = (...reward: string[]) => runCommand(['resume', directory, ...reward]).ended;

  const without = await resume();
  expect(without).toMatchObject({ code: 2 });
  expect(without.stderr).toMatch(
    /^error: run \S+ is scored by a reward of its own, restless; give it again: npx speech-dpo resume \S+ --reward FILE/,
  );
  const other = join(folder, 'other.mjs');
  writeFileSync(other, moduleOf('restful'));
  const with_ = await resume('--reward', other);
  expect(with_).toMatchObject({ code: 2 });
  expect(with_.stderr).toMatch(/is scored by the reward restless, not by restful/);

  expect(await resume('--reward', file)).toMatchObject({ code: 0 });
  expect(readRunFiles(join(folder, 'stopped'))).toEqual(readRunFiles(join(folder, 'whole')));

  const evaluated = await runCommand([
    ...['eval', join(directory, 'iter_1'), '--reward', file, '--indices', '0', '--samples', '2'],
  ]).ended;
  expect(evaluated.stdout).toMatch(/eval_1_2_restless\.json\n$/);
  const [name] = readdirSync(join(folder, 'whole', 'output'));
  const pairs = join(folder, 'whole', 'output', name, 'data_iter_0.json');
  const trained = await runCommand(['train', '--pairs', pairs, '--output', join(folder, 'trained')]).ended;
  expect(trained.stdout).toMatch(/To score it: npx speech-dpo eval \S+ --reward FILE\n$/);
  const report = readFileSync(join(folder, 'whole', 'output', name, 'report.html'), 'utf8');
  expect(report).toContain('the mean reward, codes that differ, went from');
});

it('a mistake in a module is told as its own, with the place, and is no fault of speech-dpo', async () => {
  const { file, run } = await setUp();
  // As fetch does where nobody answers.
  const failing =
    "const why = new Error('refused'); why.stack = 'Error: refused'; throw new TypeError('fetch failed', { cause: why });";
  const mistakes = [
    ['async score(samples) {', 'async score(samples) { samples.none.length;'],
    ['async score(samples) {', `async score(samples) { ${failing}`],
    ['listens: false,', 'listens: false, rankPrompt: (scores) => scores.none.length,'],
  ];
  for (const [place, mistake] of mistakes) {
    writeFileSync(file, moduleOf('restless').replace(place, mistake));
    const { code, stderr } = await run('broken', file).ended;
    expect(stderr).toMatch(
      /\nerror: .*the restless reward fails.*: (Cannot read properties of undefined \(reading 'length'\)|fetch failed) \(at .*restless\.mjs:\d+:\d+\)?\)\n$/,
    );
    expect(code).toBe(2);
  }
});

it('a mistake that nobody waits for ends the run with its place, and how to go on', async () => {
  const { file, run } = await setUp();
  const late = `setTimeout(() => undefined.late, 0);\n        return samples`;
  writeFileSync(file, moduleOf('restless').replace('return samples', late));
  const { code, stderr } = await run('late', file).ended;
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^error: Cannot read properties of undefined .*late.* \(at .*restless\.mjs:6:\d+\)\)$/m,
  );
  expect(stderr).toMatch(
    /^What is complete is kept\. To go on: npx speech-dpo resume \S*late\/model_output\//m,
  );
  expect(stderr).not.toContain('fault of speech-dpo');
});

it.each([
  ['check', 'listens: false,', 'listens: false, check: () => new Promise(() => {}),', /^error: /],
  [
    'score',
    'return samples',
    'await new Promise(() => {}); return samples',
    /^What is complete is kept\. To go on: /m,
  ],
])('a %s whose promise nothing settles ends the run with a sentence', async (_, place, never, beginning) => {
  const { file, run } = await setUp();
  writeFileSync(file, moduleOf('restless').replace(place, never));
  const { code, stderr } = await run('never', file).ended;
  expect(code).toBe(2);
  expect(stderr).toMatch(beginning);
  expect(stderr).toMatch(/^error: the command waits for a promise that nothing settles any more, /m);
});

it('a run is scored by a server, which hears the samples', async () => {
  const { folder, run } = await setUp();
  let heard = 0;
  const address = await startRewardServer(
    [200, { name: 'size', label: 'bytes of sound', listens: true }],
    (samples) => {
      heard += samples.length;
      return [200, { scores: samples.map(({ audio }) => audio!.length) }];
    },
  );
  const { code, stderr } = await run('server', address).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // Three samples of each of two prompts, of which some may be empty, and evaluations.
  expect(heard).toBeGreaterThan(20);
  const [name] = readdirSync(join(folder, 'server', 'output'));
  const data = JSON.parse(
    readFileSync(join(folder, 'server', 'output', name, 'data_iter_0.json'), 'utf8'),
  ) as Record<'chosen_rewards' | 'rejected_rewards', number[]>;
  expect(data.chosen_rewards[0]).toBeGreaterThan(data.rejected_rewards[0]);
});

it('a server that refuses stops the run with its sentence and exit code 2, and nothing is trained', async () => {
  const { folder, run } = await setUp();
  const address = await startRewardServer([200, { name: 'no' }], () => [400, 'I score no speech']);
  const { code, stderr } = await run('refused', address).ended;
  expect(code).toBe(2);
  expect(stderr).toContain(`${address} answers 400 Bad Request: I score no speech\n`);
  expect(readdirSync(findRun(join(folder, 'refused'))!)).not.toContain('iter_0');
});

it('a file that Node.js cannot import is told in one sentence', async () => {
  const { folder, run } = await setUp();
  const file = join(folder, 'reward.unknown');
  writeFileSync(file, moduleOf('restless'));
  const { code, stderr } = await run('none', file).ended;
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^error: .*reward\.unknown cannot be loaded: Node\.js \S+ does not read such a file; write the reward as \.mjs, or name the address of a server that scores, in any language\n$/,
  );
});

it('a module that breaks as it is loaded is told with the place', async () => {
  const { file, run } = await setUp();
  for (const [text, message] of [
    ['\nexport default undefined.reward;', /\(reading 'reward'\) \(at file:.*restless\.mjs:2:26\)\n$/],
    [
      'export default {',
      /cannot be loaded: Unexpected end of input; node \S+restless\.mjs shows the line\n$/,
    ],
  ] as const) {
    writeFileSync(file, text);
    const { code, stderr } = await run('none', file).ended;
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  }
});

it('a built-in reward is named, and goes on without being named again', async () => {
  const { folder, run } = await setUp();
  const { child, ended } = run('stopped', 'repetition');
  child.stdout.on('data', (text: string) => {
    if (text.includes('saved iter_0')) child.kill('SIGINT');
  });
  const stopped = await ended;
  expect(stopped.stderr).toMatch(/To go on: npx speech-dpo resume \S+\n/);
  const directory = findRun(join(folder, 'stopped'))!;
  expect(await runCommand(['resume', directory]).ended).toMatchObject({ code: 0 });
  const evaluated = await runCommand([
    ...['eval', join(directory, 'iter_1'), '--reward', 'repetition', '--indices', '0', '--samples', '2'],
  ]).ended;
  expect(evaluated.stdout).toMatch(/eval_1_2_repetition\.json\n$/);
});
