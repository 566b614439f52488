import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeWav } from '../../lib/audio/wav.js';
import { chunks } from '../../lib/chunks.js';
import type { DpoMetrics } from '../../lib/dpo/metrics.js';
import type { AudioExample } from '../../lib/experiment/audio-examples.js';
import type { RunEvent, Split } from '../../lib/run/events.js';
import { rewardLabel } from '../../lib/reward/built-in.js';
import { bestOfN } from '../../lib/run/best-of-n.js';
import { parseParameters } from '../../lib/run/parameters.js';
import type { RunRecord } from '../../lib/run/run-files.js';
import { summarize } from '../../lib/run/statistics.js';

export const SAMPLE_RATE_HZ = 16000;
export const HOSTILE_INSTRUCTION = 'Make it </script><script>alert(1)</script> "louder" & <b>bolder</b>.';

/** The event of an evaluation of two samples a prompt. */
export function evaluated(iteration: number, split: Split, rewards: number[], lengths: number[]): RunEvent {
  return {
    type: 'evaluated',
    iteration,
    split,
    rewards,
    promptMeans: meansOfTwo(rewards),
    bestOfN: bestOfN(chunks(rewards, 2)),
    lengths,
    statistics: summarize(rewards),
    droppedReasons: [],
    seconds: 1,
  };
}

/** Mean reward of each prompt, where a prompt has two samples. */
function meansOfTwo(rewards: number[]): number[] {
  return Array.from({ length: rewards.length / 2 }, (_, i) => (rewards[2 * i] + rewards[2 * i + 1]) / 2);
}

export function metrics(loss: number, others: Partial<DpoMetrics> = {}): DpoMetrics {
  return {
    loss,
    'rewards/chosen': 0.1,
    'rewards/rejected': -0.2,
    'rewards/margins': 0.3,
    'rewards/accuracies': 0.75,
    'logps/chosen': -100,
    'logps/rejected': -120,
    ...others,
  };
}

/** Six prompts of two samples each: the values of two prompts, three times. */
const sixPrompts = (values: number[], gain: number) =>
  [...values, ...values, ...values].map((value) => value + gain);

/**
 * Events of a finished run: 6 prompts with 2 samples each, 4 steps an iteration; each iteration adds 1 to every reward
 * and 10 to every length.
 */
export function fixtureEvents(iterations: number): RunEvent[] {
  const evaluations = (iteration: number) => {
    const gain = iteration + 1;
    return [
      evaluated(
        iteration,
        'train',
        sixPrompts([1, 2, 1, 2], gain),
        sixPrompts([90, 100, 110, 120], 10 * gain),
      ),
      evaluated(
        iteration,
        'test',
        sixPrompts([0.5, 1.5, 1, 2], gain),
        sixPrompts([80, 100, 110, 130], 10 * gain),
      ),
    ];
  };
  const events = evaluations(-1);
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (let step = 1; step <= 4; step++) {
      events.push({ type: 'step', iteration, epoch: 0, step, steps: 4, metrics: metrics(0.7 - 0.1 * step) });
    }
    events.push(
      { type: 'validated', iteration, epoch: 0, step: 4, metrics: metrics(0.5) },
      { type: 'saved', iteration, directory: `iter_${iteration}/dpo_model`, seconds: 1 },
      ...evaluations(iteration),
    );
  }
  return [...events, { type: 'finished', seconds: 83 }];
}

/** Audio of one held-out and one training prompt. */
export const fixtureExamples: AudioExample[] = [
  ...(['source', 'target', 'original', 'trained'] as const).map((role) => ({
    file: `audio/test_0_${role}.wav`,
    role,
    split: 'test' as const,
    prompt: 0,
    instruction: HOSTILE_INSTRUCTION,
    ...((role === 'original' || role === 'trained') && { reward: 1.25 }),
  })),
  ...(['chosen', 'rejected'] as const).map((role) => ({
    file: `audio/iter_0_train_0_${role}.wav`,
    role,
    split: 'train' as const,
    prompt: 0,
    instruction: 'Make it slower.',
    iteration: 0,
    reward: 4.5,
  })),
];

export interface FixtureOptions {
  events?: RunEvent[];
  record?: Partial<RunRecord>;
  examples?: AudioExample[];
}

/** Writes a run's files under a new temporary folder and returns its two directories. */
export async function writeFixtureRun({
  events = fixtureEvents(2),
  record,
  examples = fixtureExamples,
}: FixtureOptions = {}) {
  const root = await mkdtemp(join(tmpdir(), 'speech-dpo-report-'));
  const modelDirectory = join(root, 'model_output', '0601-1200');
  const outputDirectory = join(root, 'output', '0601-1200');
  await mkdir(modelDirectory, { recursive: true });
  await mkdir(join(outputDirectory, 'audio'), { recursive: true });
  const parameters =
    record?.parameters ?? parseParameters({ iterations: 2, trainPrompts: 6, testPrompts: 6, numEval: 2 });
  const run: RunRecord = {
    run: '0601-1200',
    state: 'finished',
    seed: 42,
    parameters,
    reward: { name: parameters.reward, label: rewardLabel(parameters) },
    versions: { 'speech-dpo': '0.1.0' },
    startedAt: '2024-06-01T12:00:00.000Z',
    timings: [{ event: 'finished', seconds: 83 }],
    ...record,
  };
  await writeFile(join(modelDirectory, 'run.json'), JSON.stringify(run));
  await writeFile(
    join(modelDirectory, 'metrics.jsonl'),
    events.map((event) => JSON.stringify(event) + '\n').join(''),
  );
  for (const { file } of examples) {
    if (file.startsWith('audio/'))
      await writeFile(join(outputDirectory, file), encodeWav(tone(0.5), SAMPLE_RATE_HZ));
  }
  await writeFile(
    join(outputDirectory, 'audio.json'),
    JSON.stringify({ sampleRateHz: SAMPLE_RATE_HZ, examples }),
  );
  return { root, modelDirectory, outputDirectory };
}

/** A sine of 1 kHz. */
export function tone(seconds: number, amplitude = 0.5): Float32Array {
  return Float32Array.from(
    { length: Math.round(seconds * SAMPLE_RATE_HZ) },
    (_, i) => amplitude * Math.sin((2 * Math.PI * 1000 * i) / SAMPLE_RATE_HZ),
  );
}
