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
import { parseArgs } from 'node:util';
import { chooseDevice, type Device, type DeviceChoice } from '../lib/engine/index.js';
import { fight, milliseconds, WARM_UP, type Duel } from './duel.js';
import { iteration, type IterationCounts } from './iteration.js';
import { dpoSteps } from './ours.js';
import { openPeer } from './peer.js';
import { samplingRow } from './sampling-row.js';
import { base, small, type Setting } from './setting.js';

const STEPS = 30;
const COUNTS: IterationCounts = { prompts: 4, samples: 10, tokens: 200 };
const SIZES = { small, base };
type Size = keyof typeof SIZES;

/** Of the command line; `only` is a part of rows' names. */
const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    sizes: { type: 'string', default: 'small,base' },
    python: { type: 'string' },
    /** What bench/base-size/make.py wrote, and a clone of NISQA: for the whole iteration. */
    model: { type: 'string' },
    nisqa: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const sizes = options.sizes.split(',') as Size[];
/** Peers compute on a GPU beside a device that is one. */
const onGpu = options.device === 'cuda' || options.device === 'webgpu';

/** One device at a time: a process opens one GPU once. */
async function rowsWith(tf32: boolean): Promise<string> {
  const { device, reason } = await chooseDevice(options.device as DeviceChoice, { tf32 });
  try {
    console.error(`${device.description} (${reason})`);
    const duels = sizes
      .flatMap((size) => duelsOf(size, { ...SIZES[size], device: onGpu ? 'cuda' : 'cpu', tf32 }, device))
      .filter(({ name }) => name.includes(options.only));
    return await fight(duels, options.python, { machine: device.description });
  } finally {
    await device.close();
  }
}

function duelsOf(size: Size, setting: Setting, device: Device): Duel[] {
  const precision = setting.tf32 ? 'TF32' : 'float32';
  const stepsOf = (batchSize: number): Duel => {
    const own = { ...setting, batchSize, pairs: Math.max(batchSize, setting.pairs) };
    return {
      name: `${size}, ${precision}: a DPO step on ${batchSize} ${batchSize === 1 ? 'pair' : 'pairs'}`,
      peerName: 'PyTorch',
      runs: STEPS,
      ours: () => dpoSteps(own, device, WARM_UP + STEPS),
      openPeer: (python) => openPeer(python, 'torch_dpo.py', own),
      format: milliseconds,
    };
  };
  const samplingOf = (completions: number): Duel => {
    const own = size === 'base' ? { ...setting, completionLength: COUNTS.tokens } : setting;
    const name = `${size}, ${precision}: sampling ${completions} completions of ${own.completionLength} tokens`;
    return samplingRow({ name, runs: 5 }, own, device, { prompts: 1, completions });
  };
  const duels = [stepsOf(1), stepsOf(size === 'base' ? 4 : 8), samplingOf(10), samplingOf(100)];
  return size === 'base' && !setting.tf32 ? [...duels, ...wholeIteration(setting, device)] : duels;
}

/** Beside the original's way, where both have all they need. */
function wholeIteration(setting: Setting, device: Device): Duel[] {
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
      peerName: "the original's way",
      // What is compiled is compiled in every iteration.
      warmUp: 0,
      runs: 1,
      ours: () => iteration(model, device, COUNTS),
      openPeer: (python) =>
        openPeer(python, 'original_iteration.py', setting, model, nisqa, JSON.stringify(COUNTS), 'original'),
      format: (seconds) => `${seconds.toFixed(1)} s`,
    },
  ];
}

const tables = [await rowsWith(false)];
if (options.device === 'cuda') tables.push(await rowsWith(true));
console.log(tables.join('\n\n'));
