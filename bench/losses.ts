/**
 * `npm run bench -- --losses`: what each loss does to the embedded model, over seeds. Prints a Markdown table of the mean held-out reward of
 * even-token, length and mos, with Student's 95 % interval over seeds.
 *
 *     npm run bench -- --losses --experiments even-token --seeds 1,2,3
 *
 * Each run takes two to four minutes on two cores. Runs that are complete under --root are not made again, so that it may be interrupted.
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Option } from 'commander';
import { CpuDevice } from '../lib/engine/index.js';
import { runExperiment } from '../lib/jobs/experiment.js';
import type { ExperimentName } from '../lib/reward/built-in.js';
import { parseParameters, type Parameters } from '../lib/run/parameters.js';
import { presets } from '../lib/run/presets.js';
import { readRun, type RecordedRun } from '../lib/run/run-files.js';
import { overSeeds } from '../lib/view/compare/seeds.js';
import type { Interval } from '../lib/run/interval.js';
import { createProgram, someOf, wholeNumbers } from '../recipes/program.js';

const EXPERIMENTS = Object.keys(presets) as ExperimentName[];
const options = createProgram(
  'npm run bench -- --losses',
  'what each loss does to the embedded model, over seeds',
)
  .addOption(new Option('--losses').hideHelp())
  .option(
    '--root <folder>',
    'where runs are kept; what is complete there is not made again',
    '.cache/bench-losses',
  )
  .option('--seeds <list>', 'a run each', wholeNumbers, [1, 2, 3])
  .option('--experiments <list>', 'rows of the table', someOf(EXPERIMENTS), EXPERIMENTS)
  .parse()
  .opts<{ root: string; seeds: number[]; experiments: ExperimentName[] }>();

/**
 * What differs from an experiment's preset. `sigmoid` and its kin keep its beta, which scales a sum over some hundred labels; that of a loss
 * per label is of another size.
 */
const RECIPES: Readonly<Record<string, Partial<Parameters>>> = {
  sigmoid: { rpoAlpha: 0 },
  ipo: { rpoAlpha: 0, loss: 'ipo', beta: 1 },
  simpo: { rpoAlpha: 0, loss: 'simpo', beta: 2 },
  apo_zero: { rpoAlpha: 0, loss: 'apo_zero' },
  'sigmoid + 0.1 sft': { rpoAlpha: 0.1 },
  'sft on the best of n': { rpoAlpha: 0, loss: 'sft' },
};

/** The run of these parameters: the one that is there and complete, or a new one. */
async function runOnce(root: string, parameters: Parameters, device: CpuDevice): Promise<RecordedRun> {
  const folder = join(root, 'output');
  for (const name of existsSync(folder) ? await readdir(folder) : []) {
    const run = await readRun(join(folder, name));
    if (run.record.state === 'finished') return run;
  }
  let directory = '';
  for await (const event of runExperiment(parameters, { root, device }))
    if (event.type === 'started') directory = event.outputDirectory;
  return readRun(directory);
}

const device = new CpuDevice();
const show = ({ mean, low, high }: Interval) =>
  `${mean.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
const signed = (value: number) => (value < 0 ? '−' : '+') + Math.abs(value).toFixed(2);
console.log('| experiment | loss | before | after | change (95 % interval over seeds) | seeds |');
console.log('| --- | --- | --- | --- | --- | --- |');
try {
  for (const experiment of options.experiments) {
    for (const [name, recipe] of Object.entries(RECIPES)) {
      const runs: RecordedRun[] = [];
      for (const seed of options.seeds) {
        const root = join(options.root, experiment, name.replaceAll(' ', '-'), String(seed));
        const settings = { ...presets[experiment], ...recipe, audioPrompts: 0, guard: false, seed };
        runs.push(await runOnce(root, parseParameters(settings), device));
      }
      const [all] = overSeeds(runs);
      const { before, after, change } = all;
      const interval = `${signed(change.mean)} (${signed(change.low)} to ${signed(change.high)})`;
      console.log(
        `| ${experiment} | ${name} | ${show(before)} | ${show(after)} | ${interval} | ${all.runs.length} |`,
      );
    }
  }
} finally {
  await device.close();
}
