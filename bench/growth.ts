/**
 * `npm run bench -- --growth`: how the time of a DPO step, the sampling rate and the memory of both grow with the prompt's length, the
 * completions' length, samples (or pairs) at once and the model's parameters, beside PyTorch with transformers. Prints Markdown tables and
 * draws docs/growth.svg.
 *
 *     npm run bench -- --growth --axes prompt,samples --python .cache/venv-bench/bin/python
 *     npm run bench -- --growth --points 2 --svg /tmp/growth.svg
 *
 * Each side of a point is a process of its own. Both take turns, call by call.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { elementCount } from '../lib/engine/graph.js';
import { bart } from '../lib/policy/bart/bart.js';
import { bartWeightShapes, LOGITS_BIAS } from '../lib/policy/bart/weights.js';
import { figureSvg } from '../lib/view/svg/figure-svg.js';
import {
  describeMachine,
  median,
  megabytes,
  milliseconds,
  readLoad,
  timeInTurns,
  tokensPerSecond,
} from './duel.js';
import { createProgram, someOf, wholeNumber } from '../recipes/program.js';
import { growthFigure } from './growth-chart.js';
import { MARGIN, steepness, type Series, type Sides, type Steepness } from './growth-fit.js';
import { findPython, INSTALL, openPeer, openProgram, type Peer } from './peer.js';
import { small, type Setting } from './setting.js';

const WARM_UP = 1;
const RUNS = 3;
/** Where samples are not what grows. */
const COMPLETIONS = 10;
const WIDTH_PIXELS = 1120;

type Call = 'step' | 'sampling';

interface Point {
  size: number;
  label: string;
  setting: Setting;
  completions: number;
}

interface Axis {
  title: string;
  calls: readonly Call[];
  points: Point[];
}

const BOTH = ['step', 'sampling'] as const;
const point = (size: number, changes: Partial<Setting>, completions = COMPLETIONS): Point => ({
  size,
  label: String(size),
  setting: { ...small, ...changes },
  completions,
});

/** A BART of so many parameters; width of a head 64. */
function sized(width: number, layers: number): Point {
  const heads = width / 64;
  const model = {
    ...{ ...small.model, d_model: width, encoder_layers: layers, decoder_layers: layers },
    ...{ encoder_attention_heads: heads, decoder_attention_heads: heads },
    ...{ encoder_ffn_dim: 4 * width, decoder_ffn_dim: 4 * width },
  };
  const shapes = bartWeightShapes(bart.parseConfig({ model_type: 'bart', ...model }, 'bench/growth.ts'));
  shapes.delete(LOGITS_BIAS);
  const parameters = [...shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  return { ...point(parameters, { model }), label: `${(parameters / 1e6).toFixed(1)} M` };
}

const AXES: Readonly<Record<string, readonly Axis[]>> = {
  prompt: [
    {
      title: 'prompt, ids',
      calls: BOTH,
      points: [64, 128, 256, 512].map((promptLength) => point(promptLength, { promptLength })),
    },
  ],
  completion: [
    {
      title: 'completion, tokens',
      calls: BOTH,
      points: [32, 64, 128, 256].map((completionLength) => point(completionLength, { completionLength })),
    },
  ],
  samples: [
    {
      title: 'pairs a step',
      calls: ['step'],
      points: [1, 2, 4].map((batchSize) => point(batchSize, { batchSize })),
    },
    {
      title: 'samples at once',
      calls: ['sampling'],
      points: [1, 4, 16, 64].map((completions) => point(completions, {}, completions)),
    },
  ],
  parameters: [{ title: 'parameters', calls: BOTH, points: [sized(256, 3), sized(384, 4), sized(512, 6)] }],
};

interface Seen {
  seconds: Sides;
  bytes: Sides;
}

const versions: Record<string, string> = {};

/** Medians of both sides, and the most memory each process held. */
async function measure(python: string, call: Call, { setting, completions }: Point): Promise<Seen> {
  const count = String(call === 'step' ? WARM_UP + RUNS : completions);
  const program = fileURLToPath(new URL('growth-point.js', import.meta.url));
  const ours = await openProgram(process.execPath, [program, JSON.stringify(setting), call, count], call);
  const peer = await (call === 'step'
    ? openPeer(python, 'torch_dpo.py', setting)
    : openPeer(python, 'hf_generate.py', setting, '1', String(completions)));
  Object.assign(versions, peer.versions);
  const { ours: own, theirs } = await timeInTurns({ runs: RUNS, warmUp: WARM_UP }, ours, peer);
  const closed = async (side: Peer) => {
    const bytes = (await side.peakBytes())!;
    await side.close();
    return bytes;
  };
  return {
    seconds: { ours: median(own), peer: median(theirs) },
    bytes: { ours: await closed(ours), peer: await closed(peer) },
  };
}

/** Measures an axis, prints a row for each of its points, and gives its series. */
async function follow(python: string, { title, calls, points }: Axis): Promise<Series[]> {
  const all: Series[] = [];
  for (const call of calls) {
    const name = call === 'step' ? 'a step' : 'sampling';
    const time: Series = { axis: title, measure: `time of ${name}`, points: [] };
    const memory: Series = { axis: title, measure: `memory of ${name}`, points: [] };
    for (const point of points) {
      const { seconds, bytes } = await measure(python, call, point);
      const { size, label } = point;
      const tokens = point.completions * point.setting.completionLength;
      time.points.push({ size, label, costs: seconds, tokens });
      memory.points.push({ size, label, costs: bytes, tokens });
      const format = call === 'step' ? milliseconds : tokensPerSecond(tokens);
      const columns = [
        ...[
          title,
          label,
          call === 'step' ? 'DPO step' : 'sampling',
          format(seconds.ours),
          format(seconds.peer),
        ],
        ...[megabytes(bytes.ours), megabytes(bytes.peer)],
      ];
      console.log(`| ${columns.join(' | ')} |`);
    }
    all.push(time, memory);
  }
  return all;
}

function showAdded({ measure }: Series, value: number): string {
  const sign = value < 0 ? '−' : '+';
  return sign + (measure.startsWith('time') ? milliseconds : megabytes)(Math.abs(value));
}

function describe(series: Series, { power, added, byPower, byAdded }: Steepness): string {
  const columns = [
    ...[series.axis, series.measure, power.ours.toFixed(2), power.peer.toFixed(2), byPower],
    ...[showAdded(series, added.ours), showAdded(series, added.peer), byAdded],
  ];
  return `| ${columns.join(' | ')} |`;
}

function conclude(
  all: readonly { series: Series; found: Steepness }[],
  key: 'byPower' | 'byAdded',
  scale: string,
) {
  const steeper = all.filter(({ found }) => found[key] === 'steeper');
  const where = steeper.map(({ series }) => `${series.measure} over ${series.axis}`);
  const sentence = where.length === 0 ? 'is nowhere steeper' : `is steeper in: ${where.join('; ')}`;
  return `${scale}, speech-dpo ${sentence}.`;
}

const AXIS_NAMES = Object.keys(AXES);
const options = createProgram(
  'npm run bench -- --growth',
  'how time and memory grow with the prompt, the completion, samples at once and parameters, beside PyTorch',
)
  .addOption(new Option('--growth').hideHelp())
  .option('--axes <list>', 'what grows', someOf(AXIS_NAMES), AXIS_NAMES)
  .option('--points <number>', 'of each axis, from its smallest', wholeNumber(2), Infinity)
  .option('--python <path>', 'Python with bench/peers/requirements.txt')
  .option('--svg <file>', 'picture to write', 'docs/growth.svg')
  .parse()
  .opts<{ axes: string[]; points: number; python?: string; svg: string }>();
if (process.platform !== 'linux')
  throw new Error(
    'Peak memory is read from /proc, which Linux alone has: run --growth there, or in a container.',
  );
const python = findPython(options.python);
if (!python) throw new Error(`Without a peer there is nothing to compare with. To have one: ${INSTALL}`);

const load = readLoad();
console.log(
  '| axis | point | what | speech-dpo | peer | speech-dpo, peak memory | peer, peak memory |\n| --- | --- | --- | --- | --- | --- | --- |',
);
const columns: Series[][] = [];
for (const name of options.axes) {
  const column: Series[] = [];
  for (const axis of AXES[name])
    column.push(...(await follow(python, { ...axis, points: axis.points.slice(0, options.points) })));
  columns.push(column);
}
const all = columns.flat().map((series) => ({ series, found: steepness(series) }));
console.log(
  [
    '',
    '| axis | measure | power, speech-dpo | power, peer | speech-dpo is | first to last point, speech-dpo | peer | speech-dpo is |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...all.map(({ series, found }) => describe(series, found)),
    '',
    conclude(all, 'byPower', `By the power (alike within ${MARGIN})`),
    conclude(all, 'byAdded', `By what is added from the first to the last point (alike within 5 %)`),
    '',
    `${describeMachine(versions)}; load average before ${load.toFixed(2)}`,
  ].join('\n'),
);
await writeFile(options.svg, figureSvg(growthFigure(columns), WIDTH_PIXELS, 'growth') + '\n');
console.log(`\n${options.svg} is drawn.`);
