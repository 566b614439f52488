/**
 * `npm run bench -- --device cuda`: speech-dpo and PyTorch in turns on a GPU, each in float32 and with TF32. Prints a Markdown table. With
 * `--device tensorflow` or `webgpu` the same rows in float32.
 *
 *     node dist/bench/gpu.js --python python3 --model .cache/bench-base --nisqa .cache/NISQA
 *
 * `--device cpu --sizes small` tries the same rows where there is no GPU.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { chooseDevice, deviceChoices, type Device, type DeviceChoice } from '../lib/engine/index.js';
import { createProgram, someOf } from '../recipes/program.js';
import { chooseRows, fight, milliseconds, WARM_UP, type Duel } from './duel.js';
import { iteration, type IterationCounts } from './iteration.js';
import { dpoSteps } from './ours.js';
import { openPeer } from './peer.js';
import { samplingRow } from './sampling-row.js';
import { base, small, type Setting } from './setting.js';

const STEPS = 30;
const COUNTS: IterationCounts = { prompts: 4, samples: 10, tokens: 200 };
const SIZES = { small, base };
type Size = keyof typeof SIZES;
const SIZE_NAMES = Object.keys(SIZES) as Size[];

const options = createProgram(
  'node dist/bench/gpu.js',
  'time speech-dpo and PyTorch in turns on a GPU, or speech-dpo on another device',
)
  .addOption(
    new Option('--device <name>', 'where speech-dpo computes').choices(deviceChoices).default('cuda'),
  )
  .option('--sizes <list>', 'of the model', someOf(SIZE_NAMES), SIZE_NAMES)
  .option('--python <path>', 'Python with bench/peers/requirements.txt, for the peers')
  .option('--model <folder>', 'what bench/base-size/make.py wrote, for the row of a whole iteration')
  .option('--nisqa <folder>', 'clone of NISQA, for the same row')
  .option('--only <text>', 'only rows with this in their names', '')
  .option('--list', 'print the names of the rows, and run none')
  .parse()
  .opts<{
    device: DeviceChoice;
    sizes: Size[];
    python?: string;
    model?: string;
    nisqa?: string;
    only: string;
    list?: true;
  }>();
/** Peers compute on a GPU beside a device that is one. */
const onGpu = options.device === 'cuda' || options.device === 'webgpu';

/** The device of the rows that are under way: a process opens one GPU once. */
let device: Device | undefined;
const opened = (): Device => device!;

/** Prints the table of rows that compute in the same precision. */
async function show(duels: readonly Duel[], tf32: boolean): Promise<void> {
  const chosen = await chooseDevice(options.device, { tf32 });
  device = chosen.device;
  const { description } = device;
  try {
    console.error(`${description} (${chosen.reason})`);
    const table = await fight(duels, options.python, { machine: description });
    // Of what slows the figures down.
    const notices = (device.takeNotices?.() ?? []).map((notice) => `; ${notice}`);
    console.log(`${table}${notices.join('')}\n`);
  } finally {
    await device.close();
  }
}

function duelsOf(size: Size, setting: Setting): Duel[] {
  const precision = setting.tf32 ? 'TF32' : 'float32';
  const stepsOf = (batchSize: number): Duel => {
    const own = { ...setting, batchSize, pairs: Math.max(batchSize, setting.pairs) };
    return {
      name: `${size}, ${precision}: a DPO step on ${batchSize} ${batchSize === 1 ? 'pair' : 'pairs'}`,
      peerName: 'PyTorch',
      runs: STEPS,
      ours: () => dpoSteps(own, opened(), WARM_UP + STEPS),
      openPeer: (python) => openPeer(python, 'torch_dpo.py', own),
      format: milliseconds,
    };
  };
  const samplingOf = (completions: number): Duel => {
    const own = size === 'base' ? { ...setting, completionLength: COUNTS.tokens } : setting;
    const name = `${size}, ${precision}: sampling ${completions} completions of ${own.completionLength} tokens`;
    return samplingRow({ name, runs: 5 }, own, opened, { prompts: 1, completions });
  };
  const duels = [stepsOf(1), stepsOf(size === 'base' ? 4 : 8), samplingOf(10), samplingOf(100)];
  return size === 'base' && !setting.tf32 ? [...duels, ...wholeIteration(setting)] : duels;
}

/** Beside the research code's way, where both have all they need. */
function wholeIteration(setting: Setting): Duel[] {
  const { model, nisqa } = options;
  if (!model || !nisqa || !existsSync(join(model, 'policy'))) {
    console.error(
      'Without the row of a whole iteration. To have it: python bench/base-size/make.py FOLDER, git clone https://github.com/gabrielmittag/NISQA, then --model FOLDER --nisqa NISQA',
    );
    return [];
  }
  process.env.NISQA_WEIGHTS = join(nisqa, 'weights', 'nisqa.tar');
  return [
    {
      name: `base: an iteration on MOS, ${COUNTS.prompts} prompts of ${COUNTS.samples} samples`,
      peerName: "the research code's way",
      // What is compiled is compiled in every iteration.
      warmUp: 0,
      runs: 1,
      ours: () => iteration(model, opened(), COUNTS),
      openPeer: (python) =>
        openPeer(python, 'original_iteration.py', setting, model, nisqa, JSON.stringify(COUNTS), 'original'),
      format: (seconds) => `${seconds.toFixed(1)} s`,
    },
  ];
}

const rows = (options.device === 'cuda' ? [false, true] : [false]).map((tf32) => ({
  tf32,
  duels: options.sizes.flatMap((size) =>
    duelsOf(size, { ...SIZES[size], device: onGpu ? 'cuda' : 'cpu', tf32 }),
  ),
}));
const names = chooseRows(
  rows.flatMap(({ duels }) => duels),
  options.only,
).map(({ name }) => name);
if (options.list) console.log(names.join('\n'));
else
  for (const { tf32, duels } of rows) {
    const chosen = duels.filter(({ name }) => names.includes(name));
    if (chosen.length > 0) await show(chosen, tf32);
  }
