/**
 * Charts as pictures in test/fixtures/charts, compared byte for byte: a change to a chart is reviewed by looking at it.
 * SPEECH_DPO_RENEW_PICTURES=1 npx vitest run test/view/pictures.test.ts draws them anew.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import type { RecordedRun } from '../../lib/run/run-files.js';
import {
  guardCurves,
  lengthDistribution,
  logProbabilityCurves,
  rewardCurves,
  rewardDistribution,
  trainingCurves,
  waveforms,
} from '../../lib/view/charts.js';
import { pageHead } from '../../lib/view/report/head.js';
import { STYLE } from '../../lib/view/report/style.js';
import { spectrogramPng } from '../../lib/view/spectrogram.js';
import { figureSvg } from '../../lib/view/svg/figure-svg.js';
import { SAMPLE_RATE_HZ, evaluated, metrics } from './fixture-run.js';

const FOLDER = fileURLToPath(new URL('../fixtures/charts/', import.meta.url));
const renew = process.env.SPEECH_DPO_RENEW_PICTURES === '1';

const events = runEvents();

it.each<[string, () => string]>([
  ['reward-curves', () => figureSvg(rewardCurves(events, 'MOS by NISQA (1 to 5)'))],
  ['reward-distribution', () => figureSvg(rewardDistribution(events, 'test', 'MOS by NISQA (1 to 5)'))],
  ['length-distribution', () => figureSvg(lengthDistribution(events, 'test'))],
  ['training-curves', () => figureSvg(trainingCurves(events, sigmoidLoss(0.1)))],
  ['log-probabilities', () => figureSvg(logProbabilityCurves(events))],
  ['guard-curves', () => figureSvg(guardCurves(events))],
  ['waveforms', () => figureSvg(waveforms(recordings()))],
  ['nothing-yet', () => figureSvg(trainingCurves([]))],
  ['spectrogram', spectrogramSvg],
  ['report-head', reportHeadSvg],
])('%s is drawn as it was', (name, draw) => {
  const svg = draw();
  const path = join(FOLDER, `${name}.svg`);
  if (renew) writeFileSync(path, svg);
  if (existsSync(path) && readFileSync(path, 'utf8') === svg) return;
  const drawn = join(mkdtempSync(join(tmpdir(), 'speech-dpo-picture-')), `${name}.svg`);
  writeFileSync(drawn, svg);
  expect.fail(
    `${path} is ${existsSync(path) ? 'another picture' : 'missing'}: look at ${drawn}, and if it is right: ` +
      'SPEECH_DPO_RENEW_PICTURES=1 npx vitest run test/view/pictures.test.ts',
  );
});

/** Numbers from 0 to 1, the same in every run. */
function* noise(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

/** A run of three iterations whose reward and lengths rise with some noise, and whose second opinion falls. */
function runEvents(): RunEvent[] {
  const random = noise(7);
  const next = () => random.next().value;
  const evaluation = (iteration: number, split: 'train' | 'test') => {
    const rewards = Array.from(
      { length: 40 },
      () => 2 + 0.5 * (iteration + 1) + next() - next() + (split === 'train' ? 0.3 : 0),
    );
    const lengths = rewards.map(() => Math.round(90 + 12 * (iteration + 1) + 30 * (next() - next())));
    return evaluated(iteration, split, rewards, lengths);
  };
  const guarded = (iteration: number): RunEvent => ({
    type: 'guarded',
    iteration,
    guards: [
      { figure: 'dnsmos', mean: 2.9 - 0.06 * (iteration + 1), promptMeans: [2.9], missing: 0 },
      { figure: 'fidelity', mean: 0.84 + 0.02 * (iteration + 1), promptMeans: [0.84], missing: 0 },
    ],
    warnings: [],
  });
  const made: RunEvent[] = [evaluation(-1, 'train'), evaluation(-1, 'test'), guarded(-1)];
  for (let iteration = 0; iteration < 3; iteration++) {
    for (let step = 1; step <= 30; step++) {
      const gain = step / 30;
      const measured = metrics(0.693 - 0.35 * gain + 0.1 * (next() - next()), {
        'rewards/margins': 1.2 * gain + 0.3 * (next() - next()),
        'rewards/accuracies': Math.round(3 * (0.6 + 0.4 * gain * next())) / 3,
        'logps/chosen': -300 + 20 * gain + 5 * next(),
        'logps/rejected': -310 - 40 * gain + 5 * next(),
      });
      made.push({
        type: 'step',
        iteration,
        epoch: Math.floor((step - 1) / 10),
        step,
        steps: 30,
        metrics: measured,
      });
      if (step % 10 === 0) {
        const validation = metrics(0.72 - 0.25 * gain, {
          'rewards/margins': 0.9 * gain,
          'rewards/accuracies': 0.5 + 0.4 * gain,
          'logps/chosen': -305 + 10 * gain,
          'logps/rejected': -308 - 30 * gain,
        });
        made.push({ type: 'validated', iteration, epoch: step / 10 - 1, step, metrics: validation });
      }
    }
    made.push({ type: 'saved', iteration, directory: `iter_${iteration}/dpo_model`, seconds: 1 });
    made.push(evaluation(iteration, 'train'), evaluation(iteration, 'test'), guarded(iteration));
  }
  return [...made, { type: 'finished', seconds: 432 }];
}

/** A glide of a harmonic tone, and the same at half the level with noise. */
function recordings() {
  const random = noise(11);
  const glide = Float32Array.from({ length: SAMPLE_RATE_HZ * 0.6 }, (_, i) => {
    const t = i / SAMPLE_RATE_HZ;
    const phase = 2 * Math.PI * (200 * t + 250 * t * t);
    const envelope = Math.sin((Math.PI * t) / 0.6) ** 2;
    return 0.5 * envelope * (Math.sin(phase) + 0.5 * Math.sin(3 * phase) + 0.25 * Math.sin(7 * phase));
  });
  const noisy = glide
    .slice(0, SAMPLE_RATE_HZ * 0.45)
    .map((value) => value / 2 + 0.1 * (random.next().value - 0.5));
  return [
    { name: 'source', samples: glide, sampleRateHz: SAMPLE_RATE_HZ },
    { name: 'policy <b>& "co"</b>.wav', samples: noisy, sampleRateHz: SAMPLE_RATE_HZ },
  ];
}

/** The two recordings' spectrograms, their pixels packed without compression: how zlib compresses is its own affair. */
function spectrogramSvg(): string {
  const images = recordings().map(({ samples }, i) => {
    const png = Buffer.from(spectrogramPng(samples, SAMPLE_RATE_HZ));
    const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
    const at = png.indexOf('IDAT');
    const size = png.readUInt32BE(at - 4);
    const pixels = deflateSync(inflateSync(png.subarray(at + 4, at + 4 + size)), { level: 0 });
    const head = Buffer.alloc(4);
    head.writeUInt32BE(pixels.length);
    const chunk = Buffer.concat([Buffer.from('IDAT'), pixels]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(chunk));
    const stored = Buffer.concat([
      png.subarray(0, at - 4),
      head,
      chunk,
      sum,
      png.subarray(at + 4 + size + 4),
    ]);
    return `<image x="${10 + 320 * i}" y="10" width="${width * 5}" height="${height * 3}" preserveAspectRatio="none" href="data:image/png;base64,${stored.toString('base64')}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="260">${images.join('')}</svg>`;
}

function reportHeadSvg(): string {
  const run: RecordedRun = {
    directories: {
      name: '0601-1200',
      outputDirectory: 'output/0601-1200',
      modelDirectory: 'model_output/0601-1200',
    },
    record: {
      run: '0601-1200',
      state: 'failed',
      error: 'the <disk> is full',
      seed: 42,
      parameters: parseParameters({ iterations: 3, reward: 'mos' }),
      reward: { name: 'mos', label: 'MOS by NISQA (1 to 5)' },
      versions: { 'speech-dpo': '0.1.0' },
      startedAt: '2024-06-01T12:00:00.000Z',
      timings: [{ event: 'finished', seconds: 432 }],
    },
    events,
  };
  // The date is written as the machine's time zone has it.
  const head = pageHead(run, 'MOS by NISQA (1 to 5)').replace(/run, [^<]*, seed/, 'run, 1 June 2024, seed');
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" width="1180" height="450"><foreignObject width="1180" height="450">' +
    `<body xmlns="http://www.w3.org/1999/xhtml"><style>/*<![CDATA[*/${STYLE}/*]]>*/</style><main>${head}</main></body>` +
    '</foreignObject></svg>'
  );
}
