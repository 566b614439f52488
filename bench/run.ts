/**
 * `npm run bench`: speech-dpo and its peers in turns (A B A B ...), on the same machine in the same minutes. Prints a Markdown table.
 *
 *     npm run bench -- --python .cache/venv-bench/bin/python --only NISQA
 */
import { existsSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeSounds, fillCodebooks } from './audio.js';
import { dpoSteps, sampleCompletions } from './ours.js';
import { openPeer, type Peer } from './peer.js';
import { nisqaOfFolder, writeRecordings } from './scoring.js';
import { setting } from './setting.js';

const PYTHON = '.cache/venv-bench/bin/python';
/** A clone of github.com/gabrielmittag/NISQA: its code is the peer, its weights are used on both sides. */
const NISQA = '.cache/NISQA';
const INSTALL =
  'python3 -m venv .cache/venv-bench && .cache/venv-bench/bin/pip install -r bench/peers/requirements.txt';
/** The first calls compile, page in and warm up: not counted. */
const WARM_UP = 2;
/** More than this and other programs shape the figures, PyTorch's first. */
const IDLE_LOAD = 0.5;

interface Duel {
  name: string;
  runs: number;
  ours: () => Promise<void>;
  /** What does not exist elsewhere has no peer. */
  peerName?: string;
  openPeer?: (python: string) => Promise<Peer>;
  format: (seconds: number) => string;
}

const milliseconds = (seconds: number) => `${(seconds * 1000).toFixed(0)} ms`;

function sampling(name: string, completions: number): Duel {
  return {
    name,
    peerName: 'transformers generate',
    runs: 9,
    ours: () => sampleCompletions(completions),
    openPeer: (python) => openPeer(python, 'hf_generate.py', String(completions)),
    format: (seconds) => `${((completions * setting.completionLength) / seconds).toFixed(0)} tokens/s`,
  };
}

/** Of the command line; `only` is a part of rows' names. */
const { values: options } = parseArgs({
  options: { python: { type: 'string' }, nisqa: { type: 'string' }, only: { type: 'string', default: '' } },
});
const nisqa = options.nisqa ?? NISQA;

/** Scoring `count` files of some seconds each; the peer's batch size is the one in its README. */
function scoring(name: string, count: number, seconds: number): Duel {
  const folder = writeRecordings(count, seconds);
  return {
    name,
    peerName: "NISQA's own code",
    runs: 9,
    ours: nisqaOfFolder(join(nisqa, 'weights', 'nisqa.tar'), folder, count),
    openPeer: (python) => openPeer(python, 'nisqa_official.py', nisqa, folder, String(Math.min(10, count))),
    format: milliseconds,
  };
}

/** Of `samples` samples of the embedded model. */
function audio(name: string, samples: number, ours: (samples: number) => () => Promise<void>): Duel {
  return {
    name,
    runs: 5,
    ours: ours(samples),
    format: (seconds) => `${(samples / seconds).toFixed(0)} samples/s`,
  };
}

const DPO_RUNS = 25;
const allDuels: Duel[] = [
  {
    name: 'one DPO step on one pair',
    peerName: 'TRL DPOTrainer',
    runs: DPO_RUNS,
    ours: dpoSteps(WARM_UP + DPO_RUNS),
    openPeer: (python) => openPeer(python, 'trl_dpo.py'),
    format: milliseconds,
  },
  sampling(`sampling 10 completions of ${setting.completionLength} tokens at once`, 10),
  sampling(`sampling 1 completion of ${setting.completionLength} tokens`, 1),
  audio('audio of 100 samples: the other codebooks', 100, fillCodebooks),
  audio('audio of 100 samples: codec', 100, decodeSounds),
  ...(existsSync(nisqa)
    ? [scoring('NISQA of a file of 5 s', 1, 5), scoring('NISQA of 200 files of 2 s', 200, 2)]
    : []),
];
const duels = allDuels.filter(({ name }) => name.includes(options.only));

/** Seconds of every counted call, ours and the peer's in turns. */
async function measure(duel: Duel, peer: Peer | undefined): Promise<{ ours: number[]; theirs: number[] }> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = 0; run < WARM_UP + duel.runs; run++) {
    const start = performance.now();
    await duel.ours();
    ours.push((performance.now() - start) / 1000);
    if (peer) theirs.push(await peer.time());
  }
  return { ours: ours.slice(WARM_UP), theirs: theirs.slice(WARM_UP) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Median with the fastest and the slowest call. */
function summarize(seconds: readonly number[], format: Duel['format']): string {
  return `${format(median(seconds))} (${format(Math.min(...seconds))} to ${format(Math.max(...seconds))})`;
}

function describeMachine(versions: Readonly<Record<string, string>>): string {
  const [{ model }] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const date = new Date().toISOString().slice(0, 10);
  return [
    date,
    `${model.trim()}, ${cpus().length} cores, ${memory}`,
    `Node.js ${process.versions.node}`,
    ...packages,
  ].join('; ');
}

const python = options.python ?? process.env.BENCH_PYTHON ?? (existsSync(PYTHON) ? PYTHON : undefined);
if (!python) console.log(`Without peers. To have them: ${INSTALL}\n`);
if (!existsSync(nisqa))
  console.log(`Without NISQA. To have it: git clone https://github.com/gabrielmittag/NISQA ${nisqa}\n`);
const [load] = loadavg();
if (load > IDLE_LOAD)
  console.log(`The machine is busy (load ${load.toFixed(1)}): these figures are not worth quoting.\n`);

const versions: Record<string, string> = {};
const rows: string[] = [];
for (const duel of duels) {
  const peer = python === undefined ? undefined : await duel.openPeer?.(python);
  Object.assign(versions, peer?.versions);
  const { ours, theirs } = await measure(duel, peer);
  peer?.close();
  const columns = [duel.name, summarize(ours, duel.format)];
  if (peer) {
    const ratio = (median(theirs) / median(ours)).toFixed(2);
    columns.push(`${duel.peerName}: ${summarize(theirs, duel.format)}`, ratio);
  } else if (python) columns.push('-', '-');
  rows.push(`| ${columns.join(' | ')} |`);
}
console.log(
  python
    ? '| median (fastest to slowest) | speech-dpo | peer | times as fast |'
    : '| median (fastest to slowest) | speech-dpo |',
);
console.log(python ? '| --- | --- | --- | --- |' : '| --- | --- |');
for (const row of rows) console.log(row);
console.log(`\n${describeMachine(versions)}; load average before ${load.toFixed(2)}`);
