import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import { writeChecksums } from '../../lib/checkpoint/checksums.js';
import { writeDataFile, type PreferenceRow } from '../../lib/run/data-file.js';
import { createRunDirectories, type RunDirectories } from '../../lib/run/directories.js';
import { writeEvaluations } from '../../lib/experiment/evaluations-file.js';
import type { RunEvent } from '../../lib/run/events.js';
import { summarize } from '../../lib/run/statistics.js';
import { findResumePoint } from '../../lib/experiment/resume-point.js';
import { findTraining, saveTraining } from '../../lib/run/training-checkpoints.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const original = { train: [[]], test: [] };
const evaluation = { train: [], test: [] };
const row: PreferenceRow = {
  instruction: 'Faster',
  source: [1],
  chosen: [2],
  rejected: [3],
  chosenReward: 2,
  rejectedReward: 1,
  averageReward: 1.5,
  details: {},
};
const metrics = {} as Extract<RunEvent, { type: 'step' }>['metrics'];
const stepEvent = (iteration: number, step: number): RunEvent => ({
  type: 'step',
  iteration,
  epoch: 0,
  step,
  steps: 3,
  metrics,
});
const pairedEvent = (iteration: number): RunEvent => ({
  type: 'paired',
  iteration,
  pairs: 1,
  skipped: 0,
  skippedReasons: [],
  chosenRewards: [2],
  rejectedRewards: [1],
  dataFile: `data_iter_${iteration}.json`,
});
const evaluatedEvent = (iteration: number): RunEvent => ({
  type: 'evaluated',
  iteration,
  split: 'test',
  rewards: [1],
  promptMeans: [1],
  lengths: [1],
  statistics: summarize([1]),
  droppedReasons: [],
  seconds: 1,
});
/** Of a run killed in iteration 1 after step 2. */
const events: RunEvent[] = [
  evaluatedEvent(-1),
  pairedEvent(0),
  stepEvent(0, 1),
  { type: 'saved', iteration: 0, directory: 'iter_0/dpo_model', seconds: 1 },
  evaluatedEvent(0),
  pairedEvent(1),
  stepEvent(1, 1),
  stepEvent(1, 2),
];

it('does not go on from evaluations that are damaged, and says so', async () => {
  const directories = await killedRun();
  const sample = { codes: [1], finished: true, reward: 1, rank: 1, details: {} };
  const damaged = { original: { train: [], test: [[sample]] } };
  await writeFileAtomic(join(directories.modelDirectory, 'evaluations.json'), JSON.stringify(damaged));
  await expect(findResumePoint(directories, events)).rejects.toThrow(
    'cannot be resumed: evaluations.json is damaged, or missing, as after `speech-dpo train`; start it anew',
  );
});

const sound = { sampleRateHz: 8000, examples: [] };
const soundOf = ({ outputDirectory }: RunDirectories) => join(outputDirectory, 'audio.json');

async function killedRun(): Promise<RunDirectories> {
  const directories = await createRunDirectories(temporaryFolder(), new Date());
  await writeEvaluations(directories, { original, last: { iteration: 0, evaluation } });
  for (const iteration of [0, 1]) await writeDataFile(directories.outputDirectory, iteration, [row]);
  await writeFileAtomic(soundOf(directories), JSON.stringify(sound));
  const model = join(directories.modelDirectory, 'iter_0', 'dpo_model');
  await writeChecksums(model, new Map([['weights', await writeFileAtomic(join(model, 'weights'), 'abc')]]));
  for (const steps of [1, 2]) {
    const data = Float32Array.of(steps);
    await saveTraining(directories, 1, {
      steps,
      tensors: new Map([['x', { shape: [1], dtype: 'float32', read: () => Promise.resolve(data) }]]),
    });
  }
  return directories;
}

it('has the two newest training states to begin with, by their numbers, also where one is saved anew', async () => {
  const directories = await createRunDirectories(temporaryFolder(), new Date());
  for (const steps of [8, 9, 10, 11, 11]) await saveTraining(directories, 0, { steps, tensors: new Map() });
  const folder = join(directories.modelDirectory, 'iter_0', 'training');
  expect(readdirSync(folder).sort()).toEqual(['step_10', 'step_11']);
  expect(await findTraining(directories, 0)).toEqual({ steps: 11, messages: [] });
});

const stateOf = ({ modelDirectory }: RunDirectories, step: number) =>
  join(modelDirectory, 'iter_1', 'training', `step_${step}`, 'state.safetensors');

it('is the newest training state, and its events', async () => {
  const directories = await killedRun();
  const plan = await findResumePoint(directories, events);
  expect(plan).toMatchObject({
    events: 8,
    point: {
      ...{ iteration: 1, trainedSteps: 2, rows: [row], saved: false },
      trainedEvents: events.slice(6),
      trained: evaluation,
    },
  });
  expect(plan.policy).toBe(join(directories.modelDirectory, 'iter_0', 'dpo_model'));
  expect(plan.description).toBe('with the training of iteration 1 after step 2');
});

it('is the next iteration of a run that finished, whose end is not true of it any more', async () => {
  const told: RunEvent[] = [...events.slice(0, 5), { type: 'finished', seconds: 1 }];
  expect(await findResumePoint(await killedRun(), told)).toMatchObject({
    events: 5,
    point: { iteration: 1 },
  });
  // Also of one that was killed before it told of its end.
  expect(await findResumePoint(await killedRun(), events.slice(0, 5))).toMatchObject({
    events: 5,
    point: { iteration: 1, trained: evaluation },
  });
});

it('is without the evaluation that it starts from where only a later one is kept', async () => {
  const directories = await killedRun();
  await writeEvaluations(directories, { original, last: { iteration: 1, evaluation } });
  const told: RunEvent[] = [
    ...events,
    { type: 'saved', iteration: 1, directory: 'iter_1/dpo_model', seconds: 1 },
    evaluatedEvent(1),
  ];
  const plan = await findResumePoint(directories, told);
  expect(plan).toMatchObject({ point: { iteration: 1, trainedSteps: 2, evaluated: [{ iteration: 0 }] } });
  expect(plan.point!.trained).toBeUndefined();
});

it('is stopped where the run was, and not where a training alone ended early', async () => {
  const stoppedBy = async (stopped: { step?: number }) => {
    const told = events.toSpliced(5, 0, { type: 'stopped', iteration: 0, reason: 'enough', ...stopped });
    return (await findResumePoint(await killedRun(), told)).point!.stopped;
  };
  expect(await stoppedBy({ step: 1 })).toBe(false);
  expect(await stoppedBy({})).toBe(true);
});

it('is the newest training state also where the next one would hold a number that is not finite', async () => {
  const directories = await killedRun();
  const data = Float32Array.of(0, NaN);
  const tensors = new Map([
    ['x', { shape: [2], dtype: 'float32' as const, read: () => Promise.resolve(data) }],
  ]);
  await expect(saveTraining(directories, 1, { steps: 3, tensors })).rejects.toThrow(
    'x is not finite after optimizer step 3',
  );
  const plan = await findResumePoint(directories, [...events, stepEvent(1, 3)]);
  expect(plan.point!.trainedSteps).toBe(2);
});

it('is the state before where the newest is damaged, with a message', async () => {
  const directories = await killedRun();
  truncateSync(stateOf(directories, 2), 20);
  const plan = await findResumePoint(directories, events);
  expect(plan).toMatchObject({ events: 7, point: { iteration: 1, trainedSteps: 1 } });
  expect(plan.description).toContain(`${stateOf(directories, 2)} differs from its checksum`);
});

it("is the iteration's start where all its states are damaged, or newer than what was recorded", async () => {
  const directories = await killedRun();
  for (const step of [1, 2]) truncateSync(stateOf(directories, step), 20);
  const plan = await findResumePoint(directories, events);
  expect(plan).toMatchObject({ events: 6, point: { iteration: 1 } });
  expect(plan.description).not.toContain('..');
  expect(await findResumePoint(await killedRun(), events.slice(0, 7))).toMatchObject({ events: 6 });
});

it('is the iteration before where the checkpoint that it starts from is damaged', async () => {
  const directories = await killedRun();
  truncateSync(join(directories.modelDirectory, 'iter_0', 'dpo_model', 'weights'), 1);
  const plan = await findResumePoint(directories, events);
  expect(plan).toMatchObject({
    events: 2,
    point: { iteration: 0, rows: [row], saved: false, evaluated: [], trained: original },
  });
  expect(plan.policy).toBeUndefined();
  expect(plan.description).toContain('weights differs from its checksum');
});

it('is the beginning before the original policy is evaluated, and none of what is no experiment', async () => {
  const directories = await createRunDirectories(temporaryFolder(), new Date());
  expect(await findResumePoint(directories, [])).toEqual({ events: 0, description: 'from the beginning' });
  await writeDataFile(directories.outputDirectory, 0, [row]);
  await expect(findResumePoint(directories, [])).rejects.toThrow('cannot be resumed');
});

it('is no later than what metrics.jsonl tells of, with a message', async () => {
  const directories = await killedRun();
  const lost =
    'metrics.jsonl does not tell that iteration 0 was evaluated: what it does not tell of is done again';
  const saved = await findResumePoint(directories, events.slice(0, 4));
  expect(saved).toMatchObject({ events: 4, point: { iteration: 0, saved: true } });
  expect(saved.policy).toBe(join(directories.modelDirectory, 'iter_0', 'dpo_model'));
  expect(saved.description).toContain(lost);
  const trained = await findResumePoint(directories, events.slice(0, 2));
  expect(trained).toMatchObject({ events: 2, point: { iteration: 0, rows: [row], saved: false } });
  const none = await findResumePoint(directories, []);
  expect(none).toMatchObject({ events: 0, description: expect.stringContaining(lost) as string });
  expect(none.point).toBeUndefined();
});

it('has the sound so far, or where audio.json is lost the pairs that it is made again of', async () => {
  const directories = await killedRun();
  expect((await findResumePoint(directories, events)).point).toMatchObject({ audio: sound });
  rmSync(soundOf(directories));
  const { point, description } = await findResumePoint(directories, events);
  expect(point!.audio).toBeUndefined();
  expect([...point!.earlierRows!]).toEqual([
    [0, [row]],
    [1, [row]],
  ]);
  expect(description).toContain(`${soundOf(directories)} does not exist. The sound is made again`);
  // The pairs of what is trained again are made again too.
  truncateSync(join(directories.modelDirectory, 'iter_0', 'dpo_model', 'weights'), 1);
  const earlier = await findResumePoint(directories, events);
  expect([...earlier.point!.earlierRows!.keys()]).toEqual([0]);
});

it("is before the sampling where the pairs' file is that of another iteration, with a message", async () => {
  const directories = await killedRun();
  await writeDataFile(directories.outputDirectory, 1, [{ ...row, chosenReward: 3 }]);
  const plan = await findResumePoint(directories, events);
  expect(plan).toMatchObject({ events: 5, point: { iteration: 1, saved: false } });
  expect(plan.point!.rows).toBeUndefined();
  expect(plan.description).toContain('data_iter_1.json does not hold the pairs that metrics.jsonl tells of');
});
