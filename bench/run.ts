/**
 * `npm run bench`: speech-dpo and its peers in turns on the CPU. Prints a Markdown table.
 *
 *     npm run bench -- --python .cache/venv-bench/bin/python --only NISQA
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { CpuDevice } from '../lib/engine/index.js';
import { createProgram } from '../recipes/program.js';
import { answerRequests } from './answer.js';
import { decodeSounds, encodec, fillCodebooks } from './audio.js';
import { iteration, type IterationCounts } from './iteration.js';
import { chooseRows, fight, milliseconds, WARM_UP, type Duel } from './duel.js';
import { choosing, dpoSteps } from './ours.js';
import { findPython, INSTALL, openPeer, openProgram } from './peer.js';
import { samplingRow } from './sampling-row.js';
import { dnsmosOfFolder, nisqaOfFolder, writeRecordings } from './scoring.js';
import { base, small, type Setting } from './setting.js';

/** A clone of github.com/gabrielmittag/NISQA: its code is the peer, its weights are used on both sides. */
const NISQA = '.cache/NISQA';
/** facebook/encodec_24khz's configuration with random weights. */
const ENCODEC = '.cache/bench-encodec';

/** Of the whole iteration at BART-base's size, which takes minutes on a CPU. */
const COUNTS: IterationCounts = { prompts: 2, samples: 10, tokens: 200 };

const options = createProgram('npm run bench --', 'time speech-dpo and its peers in turns on the CPU')
  .option('--python <path>', 'Python with bench/peers/requirements.txt, for the peers')
  .option('--nisqa <folder>', 'clone of NISQA, whose code is a peer and whose weights both sides use', NISQA)
  .option('--model <folder>', 'what bench/base-size/make.py wrote, for rows of a whole iteration')
  .option('--only <text>', 'only rows with this in their names', '')
  .option('--int8', 'sample in 8 bits on the side of speech-dpo', false)
  // A row whose side of speech-dpo this process is: it answers the one that prints the table.
  .addOption(new Option('--row <name>').hideHelp())
  .addHelpText(
    'after',
    '\nOther benches, each with a --help of its own: --device NAME, --fleet, --losses, --growth',
  )
  .parse()
  .opts<{ python?: string; nisqa: string; model?: string; only: string; int8: boolean; row?: string }>();
const { nisqa, int8 } = options;
const inInt8 = int8 ? ', in 8 bits' : '';
const python = findPython(options.python);
const device = new CpuDevice();

function samplingDuel(setting: Setting, prompts: number, completions: number): Duel {
  const { promptLength, completionLength } = setting;
  const what = `${completions} completion${completions === 1 ? '' : 's'} of ${completionLength} tokens`;
  const each = prompts === 1 ? '' : ` of each of ${prompts} prompts`;
  const name = `${sizeOf(setting)}sampling ${what}${each} at once, prompt of ${promptLength}${inInt8}`;
  const runs = setting === small ? 9 : 3;
  return samplingRow({ name, runs }, setting, () => device, { prompts, completions, int8 });
}

/** @param reference whether the peer computes the reference in every step, as TRL does unless it is asked otherwise, or before the first, as ours */
function dpoDuel(
  setting: Setting,
  runs: number,
  reference: 'every-step' | 'precomputed' = 'every-step',
): Duel {
  const { promptLength, completionLength } = setting;
  const peerName = 'TRL DPOTrainer';
  return {
    name: `${sizeOf(setting)}one DPO step on one pair, prompt of ${promptLength}, completions of ${completionLength}`,
    peerName: reference === 'precomputed' ? `${peerName}, precompute_ref_log_probs` : peerName,
    runs,
    ours: () => dpoSteps(setting, device, WARM_UP + runs),
    openPeer: (python) => openPeer(python, 'trl_dpo.py', setting, reference),
    format: milliseconds,
  };
}

const sizeOf = ({ model }: Setting): string => (model === small.model ? '' : 'base: ');

/** Scoring `count` files of some seconds each; the peer's batch size is the one in its README. */
function scoring(name: string, count: number, seconds: number): Duel {
  return {
    name,
    peerName: "NISQA's own code",
    runs: 9,
    ours: () => nisqaOfFolder(join(nisqa, 'weights', 'nisqa.tar'), writeRecordings(count, seconds), count),
    openPeer: (python) =>
      openPeer(
        python,
        'nisqa_official.py',
        small,
        nisqa,
        writeRecordings(count, seconds),
        String(Math.min(10, count)),
      ),
    format: milliseconds,
  };
}

function dnsmos(name: string, count: number, seconds: number): Duel {
  return {
    name,
    peerName: 'speechmos',
    runs: 3,
    warmUp: 1,
    ours: () => dnsmosOfFolder(writeRecordings(count, seconds), count),
    openPeer: (python) => openPeer(python, 'speechmos_dnsmos.py', small, writeRecordings(count, seconds)),
    format: (seconds) => `${seconds.toFixed(1)} s`,
  };
}

/** The peer makes the model where it is missing. */
function codec(direction: 'encode' | 'decode', seconds: number): Duel {
  return {
    name: `EnCodec 24 kHz, ${direction} ${seconds} s`,
    peerName: 'transformers',
    runs: 9,
    ours: () => encodec(ENCODEC, direction, seconds),
    openPeer: (python) => openPeer(python, 'hf_encodec.py', small, ENCODEC, direction, String(seconds)),
    format: milliseconds,
  };
}

/** One iteration on MOS, every file read and every program compiled anew, beside two ways to write it in Python. */
function wholeIteration(model: string, way: 'original' | 'batched'): Duel {
  const { prompts, samples } = COUNTS;
  process.env.NISQA_WEIGHTS = join(nisqa, 'weights', 'nisqa.tar');
  return {
    name: `base: an iteration on MOS, ${prompts} prompts of ${samples} samples${inInt8}`,
    peerName: { original: "Python, the research code's way", batched: 'Python, batched' }[way],
    warmUp: 0,
    runs: 1,
    ours: () => iteration(model, device, COUNTS, { int8 }),
    openPeer: (python) =>
      openPeer(python, 'original_iteration.py', small, model, nisqa, JSON.stringify(COUNTS), way),
    format: (seconds) => `${seconds.toFixed(1)} s`,
  };
}

/** Of `samples` samples of the embedded model. */
function audio(name: string, samples: number, ours: (samples: number) => () => Promise<void>): Duel {
  return {
    name,
    runs: 5,
    ours: () => ours(samples),
    format: (seconds) => `${(samples / seconds).toFixed(0)} samples/s`,
  };
}

const baseSampling: Setting = { ...base, completionLength: 200 };
const duels: Duel[] = [
  dpoDuel(small, 25),
  dpoDuel(small, 25, 'precomputed'),
  samplingDuel(small, 1, 10),
  samplingDuel(small, 1, 1),
  samplingDuel(small, 10, 10),
  dpoDuel(base, 3),
  dpoDuel(base, 3, 'precomputed'),
  samplingDuel(baseSampling, 1, 10),
  {
    name: 'choosing the tokens of 100 rows, top-k 50',
    warmUp: 100,
    runs: 200,
    ours: () => choosing(small, 100),
    format: (seconds) => `${(seconds * 1000).toFixed(2)} ms`,
  },
  audio('audio of 100 samples: the other codebooks', 100, fillCodebooks),
  audio('audio of 100 samples: codec', 100, decodeSounds),
  ...(existsSync(nisqa)
    ? [scoring('NISQA of a file of 5 s', 1, 5), scoring('NISQA of 200 files of 2 s', 200, 2)]
    : []),
  dnsmos('DNSMOS of 100 files of 2 s', 100, 2),
  dnsmos('DNSMOS of 100 files of 2.05 s', 100, 2.05),
  ...(python || existsSync(ENCODEC) ? [codec('encode', 10), codec('decode', 10)] : []),
  ...(options.model && existsSync(nisqa)
    ? (['original', 'batched'] as const).map((way) => wholeIteration(options.model!, way))
    : []),
];

/** The same program and options once more: each row begins with a process that holds nothing yet. */
const openOurs = ({ name }: Duel) =>
  openProgram(
    process.execPath,
    [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--row', name],
    name,
  );

if (options.row === undefined) {
  if (!python) console.log(`Without peers. To have them: ${INSTALL}\n`);
  if (!existsSync(nisqa))
    console.log(`Without NISQA. To have it: git clone https://github.com/gabrielmittag/NISQA ${nisqa}\n`);
  console.log(await fight(chooseRows(duels, options.only), python, { openOurs }));
} else {
  await answerRequests(duels.find(({ name }) => name === options.row)!.ours());
  await device.close();
}
