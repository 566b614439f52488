import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { logProbabilities, type LogProbabilityReport } from '../../lib/jobs/log-probs.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { device } from '../support/device.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { captureTerminal } from '../support/terminal.js';

const terminal = captureTerminal();
type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;

const logps = (...args: string[]) => main(['logps', ...args], new AbortController().signal);

const BETA = 0.003;
/** Sums of some 40 float32 labels; the mean over pairs is taken in float64. */
const NOISE = 2e-5;

it("of a run's pairs under the checkpoint before them are those of its first step; rewards are of the run's beta", async () => {
  const model = temporaryFolder();
  await writeTinyModel(model);
  // A step takes all pairs.
  const parameters = parseParameters({
    ...{ model, iterations: 2, trainPrompts: 2, testPrompts: 1, audioPrompts: 0, sampleSize: 4, numEval: 4 },
    ...{ maxNewTokens: 40, epochs: 2, batchSize: 8, learningRate: 0.01, beta: BETA, validationShare: 0 },
    ...{ pairsPerPrompt: 2 },
  });
  const events: RunEvent[] = [];
  for await (const event of runExperiment(parameters, { root: temporaryFolder(), device }))
    events.push(event);
  const { outputDirectory, modelDirectory } = events.find(
    (event): event is EventOf<'started'> => event.type === 'started',
  )!;
  const steps = events.filter(
    (event): event is EventOf<'step'> => event.type === 'step' && event.iteration === 1,
  );
  expect(steps.map(({ step }) => step)).toEqual([1, 2]);
  const pairs = join(outputDirectory, 'data_iter_1.json');
  const policy = join(modelDirectory, 'iter_0');

  const { means, completions } = await logProbabilities({ pairs, policy, device });
  expect(completions.length).toBeGreaterThanOrEqual(4);
  for (const name of ['logps/chosen', 'logps/rejected'] as const)
    expect(Math.abs(means![name] - steps[0].metrics[name]!), name).toBeLessThan(NOISE);
  for (const { sum, mean, perLabel, tokens, labels } of completions) {
    expect([perLabel.length, tokens.length]).toEqual([labels, labels]);
    expect(Math.abs(perLabel.reduce((total, each) => total + each, 0) - sum)).toBeLessThan(NOISE);
    expect(mean).toBe(sum / labels);
  }

  const trained = join(modelDirectory, 'iter_1', 'dpo_model');
  const code = await logps(
    '--pairs',
    pairs,
    '--policy',
    trained,
    '--reference',
    policy,
    '--json',
    '--device',
    'cpu',
  );
  expect(terminal.complained).toBe('');
  expect(code).toBe(0);
  const report = JSON.parse(terminal.printed) as LogProbabilityReport;
  expect(report.beta).toBe(BETA);
  expect(report.completions.map(({ reference }) => reference!.sum)).toEqual(
    completions.map(({ sum }) => sum),
  );
  for (const each of report.completions) {
    expect(each.reward).toBe(BETA * (each.sum - each.reference!.sum));
    expect(each).not.toHaveProperty('perLabel');
  }
  const margins = report.completions
    .filter(({ role }) => role === 'chosen')
    .map(({ reward }, pair) => reward! - report.completions[2 * pair + 1].reward!);
  expect(report.means!['rewards/margins']).toBeCloseTo(
    margins.reduce((total, margin) => total + margin, 0) / margins.length,
    12,
  );
  expect(report.means!['rewards/accuracies']).toBe(
    margins.filter((margin) => margin > 0).length / margins.length,
  );
  expect(margins.some((margin) => margin !== 0)).toBe(true);
  const [chosen, rejected] = ['rewards/chosen', 'rewards/rejected'].map((name) => report.means![name]);
  expect(chosen - rejected).toBeCloseTo(report.means!['rewards/margins'], 12);
  // The same pairs as TRL has them, without rewards, and with each row's speaker.
  const columns = JSON.parse(readFileSync(pairs, 'utf8')) as Record<
    'prompt' | 'chosen' | 'rejected',
    string[]
  >;
  const rowOf = (prompt: string, i: number) => ({
    prompt,
    chosen: columns.chosen[i],
    rejected: columns.rejected[i],
    speaker: 'p226',
  });
  const rows = join(temporaryFolder(), 'rows.json');
  writeFileSync(rows, JSON.stringify(columns.prompt.map(rowOf)));
  const told: string[] = [];
  const onNotice = (sentence: string) => void told.push(sentence);
  expect(await logProbabilities({ pairs: rows, policy, device, onNotice })).toMatchObject({
    means,
    completions,
  });
  expect(told).toEqual([
    `${rows}: the column speaker is left out: beside prompt, chosen and rejected only columns of numbers are read`,
  ]);
  const given = await logProbabilities({ pairs, policy: trained, reference: policy, beta: 0.5, device });
  expect(given.beta).toBe(0.5);
  expect(given.means!['rewards/chosen'] / chosen).toBeCloseTo(0.5 / BETA, 6);
  // Two steps of training made the chosen more likely than the rejected, against where they began.
  expect(report.means!['rewards/margins']).toBeGreaterThan(0);

  terminal.printed = '';
  expect(await logps('--pairs', pairs, '--policy', policy, '--per-token', '--device', 'cpu')).toBe(0);
  expect(terminal.printed).toContain('mean over pairs');
  const [first] = completions;
  const minus = (value: number) => value.toFixed(4).replace('-', '−');
  expect(terminal.printed).toMatch(
    new RegExp(`pair 0 chosen +${first.labels} +${minus(first.sum)} +${minus(first.mean)}\n`),
  );
  expect(terminal.printed).toMatch(
    new RegExp(`pair 0 chosen\ntoken .*\n-.*\n<s> +${minus(first.perLabel[0])}\n`),
  );
});

describe('of completions in a file', () => {
  it('are the same for codes as a list and as tokens, an item a line or in an array', async () => {
    const folder = temporaryFolder();
    const model = join(folder, 'model');
    await writeTinyModel(model);
    const items = [
      { instruction: 'Make it faster.', source: [1, 2, 3], completion: 'v_tok_5v_tok_6' },
      { instruction: 'Make it faster.', source: 'v_tok_1v_tok_2v_tok_3', completion: [5, 6] },
      { instruction: 'Make it slower.', source: [9], completion: [] },
    ];
    writeFileSync(join(folder, 'c.jsonl'), items.map((item) => JSON.stringify(item)).join('\n'));
    writeFileSync(join(folder, 'c.json'), JSON.stringify(items));
    const [lines, array] = await Promise.all(
      ['c.jsonl', 'c.json'].map((name) =>
        logProbabilities({
          completions: join(folder, name),
          model,
          reference: join(model, 'policy'),
          device,
        }),
      ),
    );
    expect(lines).toEqual(array);
    const [first, second, empty] = lines.completions;
    expect(first).toEqual(second);
    expect(first.tokens).toEqual(['<s>', 'v_tok_5', 'v_tok_6', '</s>']);
    expect(empty.labels).toBe(2);
    expect(lines.beta).toBe(0.1);
    expect(lines.completions.map(({ reward }) => reward)).toEqual([0, 0, 0]);
    expect(lines.means).toBeUndefined();
  });

  const item = { instruction: 'Faster.', source: [1, 2], completion: [3] };
  it.each([
    [[], {}, /c\.json holds no completions/],
    [[{ ...item, completion: 'five' }], {}, /c\.json: item 0: "five" is not a token string/],
    [[item, { ...item, codes: [1] }], {}, /c\.json: item 1: .*codes/],
    [[item, { ...item, source: [1.5] }], {}, /item 1: source: must be codes, as \[12, 7\]/],
    [[item, { ...item, completion: [99_999] }], {}, /c\.json: item 1: code 99999 of codebook 0 is outside/],
    [[item], { batchSize: 0 }, /the batch size must be a whole number from 1 on, not 0/],
    [[item], { beta: 0.1 }, /beta belongs to implicit rewards: give a reference too/],
    [[item], { beta: -1, reference: 'x' }, /^beta is -1: a number above 0 is expected, as 0.1$/],
    [[item], { pairs: 'data_iter_0.json' }, /give either pairs .* or completions/],
    [[item], { policy: '/no/such/iter_3' }, /\/no\/such\/iter_3 is no run's checkpoint/],
  ] as const)('%j with %j is refused', async (items, options, message) => {
    const completions = join(temporaryFolder(), 'c.json');
    writeFileSync(completions, JSON.stringify(items));
    await expect(logProbabilities({ completions, device, ...options })).rejects.toThrow(message);
  });

  it('need a file', async () => {
    expect(await logps('--device', 'cpu')).toBe(2);
    expect(terminal.complained).toContain('give either pairs');
  });
});
