/** Early stopping, schedules and pairs of other strategies in whole runs, also in one that is killed and goes on. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../lib/checkpoint/safetensors.js';
import { iterate } from '../../lib/experiment/iterate.js';
import { findResumePoint } from '../../lib/experiment/resume-point.js';
import type { Run } from '../../lib/experiment/run.js';
import { TARGET_WARNING } from '../../lib/experiment/warnings.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import type { Guard, GuardFigures } from '../../lib/reward/guard.js';
import { rewardOf, type Sample } from '../../lib/reward/reward.js';
import { readDataFile } from '../../lib/run/data-file.js';
import type { RunEvent } from '../../lib/run/events.js';
import { recordRun } from '../../lib/run/record.js';
import { cutRecord, readRun } from '../../lib/run/run-files.js';
import { createTinyRun } from './tiny-run.js';

const roots: string[] = [];
afterAll(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));

async function tinyRun(parameters: Record<string, unknown>, parts: Partial<Run> = {}): Promise<Run> {
  const run = { ...(await createTinyRun({ audioPrompts: 0, ...parameters })), ...parts };
  roots.push(join(run.directories.modelDirectory, '..', '..'));
  return run;
}

async function collect(
  events: AsyncGenerator<RunEvent>,
  until?: (event: RunEvent) => void,
): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) {
    if (event.type !== 'progress') all.push(event);
    until?.(event);
  }
  return all;
}

const record = (run: Run) => recordRun(iterate(run), run);
const ofType = <T extends RunEvent['type']>(events: readonly RunEvent[], type: T) =>
  events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);
const filesOf = async ({ directories: { modelDirectory, outputDirectory } }: Run) => ({
  metrics: await readFile(join(modelDirectory, 'metrics.jsonl'), 'utf8'),
  best: (await readRun(modelDirectory)).record.best,
  pairs: await readFile(join(outputDirectory, 'data_iter_0.json'), 'utf8'),
});
const weightsOf = async ({ directories }: Run, iteration: number) => {
  const path = join(directories.modelDirectory, `iter_${iteration}`, 'dpo_model', 'model.safetensors');
  return [...(await readSafetensors(path))].map(([name, { data }]) => [name, ...data]);
};

/** Goes on with an aborted run as `resumeExperiment` does, in what would be a new process. */
async function goOn(run: Run): Promise<void> {
  const { record, events } = await readRun(run.directories.modelDirectory);
  const { policy, point, events: kept, description: how } = await findResumePoint(run.directories, events);
  const fresh: Run = { ...(await createTinyRun()), parameters: run.parameters, directories: run.directories };
  const inputs: Run = { ...fresh, guards: run.guards, reward: run.reward };
  if (policy) {
    const { weights } = await loadPretrained(policy, [inputs.policy.architecture]);
    for (const [name, tensor] of weights) inputs.policy.weights.set(name, tensor);
  }
  const earlier = await cutRecord(run.directories, record, kept);
  await collect(recordRun(iterate(inputs, point), { ...inputs, resumed: { record: earlier, how } }));
}

/** The same run left alone, and killed at the first event that is asked for. */
async function alone(parameters: Record<string, unknown>, parts?: Partial<Run>) {
  const run = await tinyRun(parameters, parts);
  return { run, events: await collect(record(run)) };
}
async function killed(
  parameters: Record<string, unknown>,
  at: (event: RunEvent) => boolean,
  parts?: Partial<Run>,
): Promise<Run> {
  const stop = new AbortController();
  const run = await tinyRun(parameters, { ...parts, signal: stop.signal });
  const ending = collect(record(run), (event) => {
    if (at(event)) stop.abort(new Error('killed'));
  });
  await expect(ending).rejects.toThrow('killed');
  return run;
}

it("makes a run's sound again, the same, where it was killed and audio.json is lost", async () => {
  const soundOf = async ({ directories: { outputDirectory } }: Run) => ({
    index: await readFile(join(outputDirectory, 'audio.json'), 'utf8'),
    files: (await readdir(join(outputDirectory, 'audio'))).sort(),
  });
  const { run } = await alone({ audioPrompts: 1 });
  const other = await killed(
    { audioPrompts: 1 },
    (event) => event.type === 'sampled' && event.iteration === 1,
  );
  const { outputDirectory } = other.directories;
  await Promise.all(
    ['audio', 'audio.json'].map((name) => rm(join(outputDirectory, name), { recursive: true })),
  );
  await goOn(other);
  expect(await soundOf(other)).toEqual(await soundOf(run));
});

describe('a training with a schedule that stops early', () => {
  // Such a rate makes the validation loss rise soon.
  const parameters = {
    epochs: 8,
    iterations: 1,
    learningRate: 0.3,
    batchSize: 1,
    pairsPerPrompt: 2,
    schedule: 'cosine',
    warmupSteps: 0.2,
    earlyStopping: 'loss',
    patience: 2,
  };

  it('ends after so many validations without a better loss, says so, and comes to the same when it was killed on the way', async () => {
    const { run, events } = await alone(parameters);
    const losses = ofType(events, 'validated').map(({ metrics }) => metrics.loss);
    const best = losses.indexOf(Math.min(...losses));
    expect(losses).toHaveLength(best + 1 + 2);
    expect(losses.length).toBeLessThan(8);
    const steps = ofType(events, 'step');
    const [stopped] = ofType(events, 'stopped');
    const total = steps[0].steps;
    const bestStep = ofType(events, 'validated')[best].step;
    expect(ofType(events, 'restored')).toEqual([
      {
        type: 'restored',
        iteration: 0,
        step: bestStep,
        reason: `the policy gets back its weights of step ${bestStep}, where the validation loss was the best`,
      },
    ]);
    expect(stopped).toEqual({
      type: 'stopped',
      iteration: 0,
      step: steps.length,
      reason: `trained ${steps.length} of ${total} steps: early stopping, since the validation loss got no better in 2 epochs`,
    });
    const warmup = Math.ceil(0.2 * total);
    for (const { step, metrics } of steps) {
      const k = step - 1;
      const cosine = 0.5 * (1 + Math.cos((Math.PI * (k - warmup)) / (total - warmup)));
      expect(metrics.learning_rate).toBeCloseTo(0.3 * (k < warmup ? k / warmup : cosine), 14);
    }
    // In the last epoch that counts, so that what came before decides, and after its last step, so that none is left to be told of.
    for (const killAt of [steps.length - 1, steps.length]) {
      const other = await killed(parameters, (event) => event.type === 'step' && event.step === killAt);
      await goOn(other);
      expect(await filesOf(other)).toEqual(await filesOf(run));
      expect(await weightsOf(other, 0)).toEqual(await weightsOf(run, 0));
    }
  });

  it('goes on after the last step also where it was killed while it validated', async () => {
    const { run, events } = await alone(parameters);
    const { step } = ofType(events, 'validated')[0];
    const other = await killed(parameters, (event) => event.type === 'validated');
    const saved = await readdir(join(other.directories.modelDirectory, 'iter_0', 'training'));
    expect(saved).toEqual([`step_${step}`]);
    await goOn(other);
    expect(await filesOf(other)).toEqual(await filesOf(run));
    expect(await weightsOf(other, 0)).toEqual(await weightsOf(run, 0));
  });
});

describe('a run that a guard stops', () => {
  /** Takes for worse what the reward takes for better. */
  const guard: Guard = {
    figures: ['dnsmos'],
    measure: async ({ codes }) => ({
      dnsmos: (-5 * codes.filter((code) => code % 2 === 0).length) / codes.length,
    }),
  };
  const parts = { guards: [guard] };
  const parameters = { iterations: 4, epochs: 3, learningRate: 0.05, earlyStopping: 'guard', numEval: 4 };

  it('ends after the iteration with the warning, also where it is killed right there', async () => {
    const { run, events } = await alone(parameters, parts);
    const warned = ofType(events, 'guarded').findIndex(({ warnings }) => warnings.length > 0);
    const iteration = warned - 1;
    expect(iteration).toBeGreaterThanOrEqual(0);
    expect(iteration).toBeLessThan(3);
    expect(ofType(events, 'stopped')).toEqual([
      {
        type: 'stopped',
        iteration,
        reason: `a guard warns: early stopping ends the run after iteration ${iteration}, ${3 - iteration} before its end`,
      },
    ]);
    expect(events.at(-1)!.type).toBe('finished');
    expect(ofType(events, 'saved')).toHaveLength(iteration + 1);
    // run.json names the best iteration on held-out prompts.
    const means = ofType(events, 'evaluated').filter(({ split, iteration: k }) => split === 'test' && k >= 0);
    const best = means.reduce((a, b) => (b.statistics.mean > a.statistics.mean ? b : a));
    expect((await filesOf(run)).best).toEqual({
      iteration: best.iteration,
      directory: `iter_${best.iteration}/dpo_model`,
      reward: best.statistics.mean,
    });
    // A warning after the last iteration stops nothing.
    const { events: whole } = await alone({ ...parameters, iterations: iteration + 1 }, parts);
    expect(ofType(whole, 'guarded').at(-1)!.warnings).not.toEqual([]);
    expect(ofType(whole, 'stopped')).toEqual([]);
    // What is recorded of a stop whose evaluation is not complete yet is found again.
    const other = await tinyRun(parameters, parts);
    for await (const event of record(other)) if (event.type === 'stopped') break;
    await goOn(other);
    expect(await filesOf(other)).toEqual(await filesOf(run));
    // And where all is complete but the end, nothing more is trained.
    const last = await tinyRun(parameters, parts);
    let isStopped = false;
    for await (const event of record(last)) {
      if (event.type === 'finished' && isStopped) break;
      isStopped ||= event.type === 'stopped';
    }
    const { record: unfinished, events: told } = await readRun(last.directories.modelDirectory);
    await cutRecord(last.directories, unfinished, told.length - 1);
    await goOn(last);
    expect(await filesOf(last)).toEqual(await filesOf(run));
  });
});

describe('pairs of a run', () => {
  it('are counted only where there is something to choose, so that a run by the defaults writes what it always wrote', async () => {
    const { events } = await alone({ iterations: 1 });
    const [paired] = ofType(events, 'paired');
    expect(Object.keys(paired)).toEqual([
      ...['type', 'iteration', 'pairs', 'skipped', 'skippedReasons'],
      ...['chosenRewards', 'rejectedRewards', 'dataFile'],
    ]);
  });

  it('are all above the margin and the bar, and what was dropped is recorded and logged', async () => {
    const parameters = { iterations: 1, sampleSize: 8, pairing: 'above-margin', pairsPerPrompt: 99 };
    const { run, events } = await alone({ ...parameters, minMargin: 1, minChosen: 2.5 });
    const [{ pairs, considered, dropped, chosenRewards, rejectedRewards }] = ofType(events, 'paired');
    expect(pairs).toBeGreaterThan(2);
    expect(chosenRewards.every((reward, i) => reward >= 2.5 && reward - rejectedRewards[i] >= 1)).toBe(true);
    const missed = Object.values(dropped!).reduce((sum, count) => sum + count, 0);
    expect(pairs + missed).toBe(considered);
    const log = await readFile(join(run.directories.modelDirectory, 'log_training.log'), 'utf8');
    expect(log).toContain(`INFO - Of ${considered} possible pairs ${pairs} were made; `);
    const read = await readRun(run.directories.modelDirectory);
    expect(ofType(read.events, 'paired')[0].dropped).toEqual(dropped);

    const reward = rewardOf('negative', 'below 0', ({ codes }) => -1 - codes[0]);
    const { events: barred } = await alone({ ...parameters, minChosen: 0 }, { reward });
    expect(ofType(barred, 'paired')[0]).toMatchObject({
      pairs: 0,
      considered: expect.toSatisfy((count) => count > 2),
    });
    // All are good.
    const { events: uniform } = await alone({ ...parameters, minChosen: -99, dropUniform: true }, { reward });
    const [none] = ofType(uniform, 'paired');
    expect(none).toMatchObject({ pairs: 0, dropped: { uniform: none.considered } });
  });

  it('with guardPairs are of no chosen sample that is worse by a figure of pairs, though it may be by another', async () => {
    const sumOf = ({ codes }: Sample) => codes.reduce((sum, code) => sum + code, 0);
    const reward = rewardOf('sum', 'sum of codes', sumOf);
    const pairsWith = async (figuresOf: (sum: number) => GuardFigures) => {
      const measure = async (sample: Sample) => figuresOf(sumOf(sample));
      const guard: Guard = { figures: ['fidelity', 'pitch'], measure };
      const { events } = await alone({ iterations: 1, guardPairs: true }, { reward, guards: [guard] });
      return ofType(events, 'paired')[0].pairs;
    };
    expect(await pairsWith((sum) => ({ fidelity: -sum, pitch: sum }))).toBe(0);
    expect(await pairsWith((sum) => ({ fidelity: sum, pitch: -sum }))).toBe(2);
  });

  it("are the dataset's targets against the worst samples, scored alike, with the warning", async () => {
    const { run, events } = await alone({ iterations: 1, pairing: 'target' });
    expect(ofType(events, 'notice').map(({ message }) => message)).toEqual([TARGET_WARNING]);
    const rows = await readDataFile(join(run.directories.outputDirectory, 'data_iter_0.json'));
    const targets = run.train.map(({ item }) => item.tgt_encodec[0]);
    expect(rows.map(({ chosen }) => chosen)).toEqual(targets);
    const evenShare = (codes: readonly number[]) =>
      5 * (codes.filter((code) => code % 2 === 0).length / codes.length);
    expect(rows.map(({ chosenReward }) => chosenReward)).toEqual(targets.map(evenShare));
  });

  it('are none of a prompt whose target has no reward, with the reason', async () => {
    const picky = rewardOf('picky', 'even', ({ codes, item }) =>
      codes.join() === item.tgt_encodec[0].join() && codes[0] === 0
        ? { dropped: 'it is the first target' }
        : codes.length,
    );
    const { events } = await alone({ iterations: 1, pairing: 'target' }, { reward: picky });
    expect(ofType(events, 'paired')[0].skippedReasons).toEqual([
      'prompt 0: its target could not be scored: it is the first target',
    ]);
  });
});
