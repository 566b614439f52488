import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { readAudioIndex } from '../../lib/experiment/audio-examples.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { resumeExperiment } from '../../lib/jobs/resume.js';
import { trainFrom, trainingParameters } from '../../lib/jobs/train-from.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { readRun } from '../../lib/run/run-files.js';
import { findPython } from '../../lib/scoring/python.js';
import { TENSORBOARD_FOLDER, withTensorBoard, writeTensorBoard } from '../../lib/tensorboard/tensorboard.js';
import { readPoints, readWallSeconds, type ReadPoint } from '../support/event-file-reader.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { evaluated, metrics, writeFixtureRun } from '../view/fixture-run.js';

type Started = Extract<RunEvent, { type: 'started' }>;

async function parametersOf() {
  const model = temporaryFolder();
  await writeTinyModel(model);
  return parseParameters({
    ...{ model, iterations: 2, trainPrompts: 2, testPrompts: 1, audioPrompts: 1, sampleSize: 3, numEval: 4 },
    ...{ maxNewTokens: 40, epochs: 2, batchSize: 2, learningRate: 0.01, beta: 0.003, checkpointMinutes: 0 },
    ...{ tensorboard: true },
  });
}

/** Runs to its end, or until an event for which `until` holds, where it is interrupted. */
async function follow(
  start: (signal: AbortSignal) => AsyncGenerator<RunEvent>,
  until: (event: RunEvent) => boolean = () => false,
): Promise<Started> {
  const stop = new AbortController();
  let started: Started | undefined;
  try {
    for await (const event of start(stop.signal)) {
      if (event.type === 'started') started = event;
      if (until(event)) stop.abort(new Error('interrupted here'));
    }
  } catch (error) {
    expect((error as Error).message).toBe('interrupted here');
  }
  return started!;
}

const pointsOf = ({ outputDirectory }: Started) => readPoints(join(outputDirectory, TENSORBOARD_FOLDER));

const scalarsOf = (points: ReadPoint[], tag: string) =>
  points.filter((point) => point.tag === tag).map(({ step, scalar }) => [step, scalar]);

const hasTensorBoard = spawnSync(findPython(), ['-c', 'import tensorboard']).status === 0;
if (!hasTensorBoard) {
  if (process.env.SPEECH_DPO_REQUIRE_TENSORBOARD === '1')
    throw new Error(
      'SPEECH_DPO_REQUIRE_TENSORBOARD is set, but there is no Python package tensorboard (SPEECH_DPO_PYTHON)',
    );
  console.warn('Skipped: there is no Python package tensorboard to open event files with.');
}

/** What the package itself reads of a folder: scalars and texts by tag, [step, value] each, and sound as base64. */
const READER = `
import base64, json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
board = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'audio': 0, 'tensors': 0})
board.Reload()
tags = board.Tags()
json.dump({
  'scalars': {tag: [[e.step, e.value] for e in board.Scalars(tag)] for tag in tags['scalars']},
  'texts': {tag: [[e.step, e.tensor_proto.string_val[0].decode()] for e in board.Tensors(tag)] for tag in tags['tensors']},
  'plugins': {tag: board.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags['tensors'] + tags['audio']},
  'audio': {tag: [[e.step, e.sample_rate, e.length_frames, base64.b64encode(e.encoded_audio_string).decode()]
                  for e in board.Audio(tag)] for tag in tags['audio']},
}, sys.stdout)`;

describe('a run with tensorboard', () => {
  it('shows its metrics, pairs and sound, also where it was interrupted, and again when they are made of its files', async () => {
    const parameters = await parametersOf();
    const whole = await follow((signal) => runExperiment(parameters, { root: temporaryFolder(), signal }));
    const points = pointsOf(whole);
    const { events } = await readRun(whole.outputDirectory);
    const steps = events.filter((event) => event.type === 'step');
    const stepsOfIteration = steps.filter(({ iteration }) => iteration === 0).length;
    expect(steps.length).toBeGreaterThan(stepsOfIteration);
    for (const name of ['loss', 'rewards/margins', 'logps/chosen', 'grad_norm', 'learning_rate'] as const)
      expect(scalarsOf(points, `train/${name}`), name).toEqual(
        steps.map(({ metrics }, index) => [index + 1, Math.fround(metrics[name]!)]),
      );
    const evaluations = events.filter((event) => event.type === 'evaluated' && event.split === 'test');
    expect(scalarsOf(points, 'reward/held-out')).toEqual(
      evaluations.map((event, index) => [
        [0, stepsOfIteration, steps.length][index],
        Math.fround((event as Extract<RunEvent, { type: 'evaluated' }>).statistics.mean),
      ]),
    );
    expect(scalarsOf(points, 'samples/dropped')[0]).toEqual([0, 0]);

    const { examples } = await readAudioIndex(whole.outputDirectory);
    const sounds = points.filter(({ audio }) => audio);
    expect(sounds.map(({ audio }) => audio!.wav.toString('base64')).sort()).toEqual(
      examples.map(({ file }) => readFileSync(join(whole.outputDirectory, file), 'base64')).sort(),
    );
    // Recordings stand at the start, pairs where their training begins, and what the last policy writes at the end.
    const places = { source: 0, target: 0, original: steps.length, trained: steps.length };
    expect(sounds.map(({ tag, step }) => `${tag} ${step}`).sort()).toEqual(
      examples
        .map(({ split, prompt, role, standing, iteration }) => {
          const step =
            role === 'chosen' || role === 'rejected' ? iteration! * stepsOfIteration : places[role];
          const name = standing === undefined ? role : `${standing} ${role}`;
          return `${split === 'test' ? 'held-out' : 'train'} prompt ${prompt}/${name} ${step}`;
        })
        .sort(),
    );
    const tables = points.filter(({ tag }) => tag === 'pairs');
    expect(tables.map(({ step }) => step)).toEqual([0, stepsOfIteration]);

    // Interrupted in the second training, after a step whose state was saved.
    const isInside = (event: RunEvent) => event.type === 'step' && event.iteration === 1 && event.step === 1;
    const root = temporaryFolder();
    const part = await follow((signal) => runExperiment(parameters, { root, signal }), isInside);
    expect(pointsOf(part).length).toBeLessThan(points.length);
    await follow((signal) => resumeExperiment(part.modelDirectory, { signal }));
    expect(pointsOf(part)).toEqual(points);

    const { folder, problems } = await writeTensorBoard(whole.modelDirectory);
    expect(problems).toEqual([]);
    expect(readPoints(folder)).toEqual(points);

    if (hasTensorBoard) {
      const { stdout, stderr, status } = spawnSync(findPython(), ['-c', READER, folder], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      });
      expect(status, stderr).toBe(0);
      const read = JSON.parse(stdout) as Record<'scalars' | 'texts' | 'audio', Record<string, unknown[]>> & {
        plugins: Record<string, string>;
      };
      const byTag = (wanted: (point: ReadPoint) => unknown[] | undefined) => {
        const result: Record<string, unknown[]> = {};
        for (const point of points) {
          const value = wanted(point);
          if (value) (result[point.tag] ??= []).push(value);
        }
        return result;
      };
      expect(read.scalars).toEqual(byTag(({ step, scalar }) => (scalar === undefined ? undefined : [step, scalar]))); // prettier-ignore
      expect(read.texts).toEqual(byTag(({ step, text }) => (text === undefined ? undefined : [step, text])));
      expect(read.audio).toEqual(
        byTag(
          ({ step, audio }) =>
            audio && [step, audio.sampleRateHz, audio.frames, audio.wav.toString('base64')],
        ),
      );
      expect(new Set(Object.values(read.plugins))).toEqual(new Set(['text', 'audio']));
    }

    // A training on given pairs samples nothing.
    const pairs = join(whole.outputDirectory, 'data_iter_0.json');
    const training = await trainingParameters(pairs, {});
    const trained = await follow((signal) => trainFrom(pairs, training, { root: temporaryFolder(), signal }));
    const ofTraining = pointsOf(trained);
    expect(ofTraining.filter(({ tag }) => !tag.startsWith('train/')).map(({ tag }) => tag)).toEqual([
      'pairs',
      ...points
        .filter(({ tag, step }) => tag.startsWith('eval/') && step <= stepsOfIteration)
        .map(({ tag }) => tag),
      'iteration',
    ]);
    expect(scalarsOf(ofTraining, 'train/loss')).toEqual(
      scalarsOf(points, 'train/loss').slice(0, stepsOfIteration),
    );

    rmSync(join(whole.outputDirectory, examples[0].file));
    rmSync(join(whole.outputDirectory, 'data_iter_1.json'));
    const rest = await writeTensorBoard(whole.outputDirectory);
    expect(rest.problems).toEqual([
      `${examples[0].file} is missing`,
      expect.stringContaining('data_iter_1.json'),
    ]);
    const left = readPoints(rest.folder).filter(({ tag }) => tag !== 'problems');
    expect(left).toHaveLength(points.length - 2);

    // Each evaluation reads it anew.
    rmSync(join(whole.outputDirectory, 'audio.json'));
    const silent = await writeTensorBoard(whole.outputDirectory);
    expect(silent.problems.filter((problem) => problem.includes('audio.json'))).toHaveLength(1);
  });
});

it('a run without it makes no folder', async () => {
  const folder = temporaryFolder();
  const directories = { name: 'run', modelDirectory: folder, outputDirectory: folder };
  const finished = { type: 'finished', seconds: 1 } as const;
  const events = async function* (): AsyncGenerator<RunEvent> {
    yield finished;
  };
  const passed = async (tensorboard: boolean) => {
    const through: RunEvent[] = [];
    const parameters = { tensorboard };
    for await (const event of withTensorBoard(events(), { directories, parameters })) through.push(event);
    return through;
  };
  expect(parseParameters({}).tensorboard).toBe(false);
  expect(await passed(false)).toEqual([finished]);
  expect(readdirSync(folder)).toEqual([]);
  expect(await passed(true)).toEqual([finished]);
  expect(readdirSync(folder)).toEqual([TENSORBOARD_FOLDER]);
});

it('an iteration that trains on nothing has a step of its own; times are those of the run', async () => {
  const saved = (iteration: number): RunEvent => ({
    ...{ type: 'saved', iteration, directory: `iter_${iteration}/dpo_model`, seconds: 20 },
  });
  const step = (iteration: number, at: number): RunEvent => ({
    ...{ type: 'step', iteration, epoch: 0, step: at, steps: 2, metrics: metrics(at) },
  });
  const startedAt = '2024-06-01T12:00:00.000Z';
  const { root, outputDirectory } = await writeFixtureRun({
    events: [
      ...[evaluated(-1, 'test', [1, 1], [1, 1]), saved(0), evaluated(0, 'test', [2, 2], [1, 1])],
      ...[step(1, 1), step(1, 2), saved(1), evaluated(1, 'test', [3, 3], [1, 1])],
      ...[saved(2), evaluated(2, 'test', [4, 4], [1, 1])],
    ],
    examples: [],
    record: {
      startedAt,
      timings: [10, 20, 30, 40, 50, 60, 70].map((seconds) => ({ event: 'any', seconds })),
    },
  });
  const first = await writeTensorBoard(outputDirectory);
  const others = join(first.folder, 'events.out.tfevents.1717243200.machine.7.0');
  writeFileSync(others, '');
  const { folder } = await writeTensorBoard(outputDirectory);
  // Another program's stays, and takes no part here.
  rmSync(others);
  expect(scalarsOf(readPoints(folder), 'reward/held-out')).toEqual([
    [0, 1],
    [1, 2],
    [3, 3],
    [4, 4],
  ]);
  expect(scalarsOf(readPoints(folder), 'train/loss')).toEqual([
    [2, 1],
    [3, 2],
  ]);
  const times = readWallSeconds(folder).map((seconds) => seconds - Date.parse(startedAt) / 1000);
  // The file begins when it is written.
  expect([...new Set(times.slice(2))]).toEqual([10, 30, 60, 100, 150, 210, 280]);
  rmSync(root, { recursive: true });
});

it('speech-dpo tensorboard says what is no run', async () => {
  let complained = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((complained += String(text)), true));
  const code = await main(['tensorboard', '/no/such/output/run'], new AbortController().signal);
  vi.restoreAllMocks();
  expect(code).toBe(2);
  expect(complained).toContain('/no/such/model_output/run/run.json');
});
