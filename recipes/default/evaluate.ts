/**
 * Measures the embedded default on the held-out sentences and prints the figures of its model card.
 *
 *     node dist/recipes/default/evaluate.js --python .venv/bin/python [--items 200] [--part codec|policy]
 *
 * Codec: held-out recordings against themselves decoded. Policy with its partner, sampled at temperature 1: what each effect should
 * change against the decoded target, and word errors. NISQA needs its weights (NISQA_WEIGHTS); word errors need a Python with
 * recipes/default/requirements.txt.
 */
import { CpuDevice } from '../../lib/engine/index.js';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Option } from 'commander';
import type { Effect } from '../../lib/audio/effects.js';
import { measureMedianF0Hz } from '../../lib/audio/f0.js';
import { meanOf } from '../../lib/mean.js';
import { measureLevelDb } from '../../lib/scoring/silence.js';
import { writeWav } from '../../lib/audio/wav.js';
import type { Codec } from '../../lib/codec/codec.js';
import type { DatasetItem } from '../../lib/data/item.js';
import { openSpectralCodec } from '../../lib/codec/spectral/codec.js';
import { openPartner } from '../../lib/policy/partner.js';
import { packPrompt } from '../../lib/policy/pack.js';
import { loadPolicy } from '../../lib/policy/policy.js';
import { openSampler } from '../../lib/policy/sample.js';
import { loadNisqa, type Nisqa } from '../../lib/scoring/nisqa/nisqa.js';
import { stoi } from '../../lib/scoring/stoi.js';
import { wordErrors } from '../../lib/scoring/wer.js';
import { createProgram, requireFile, wholeNumber } from '../program.js';
import { loadRecording, TEST_SENTENCES } from './recordings.js';
import { listSpoken } from './utterances.js';

const device = new CpuDevice();

interface Line extends DatasetItem {
  text: string;
  effect: Effect;
}

/** A recording to transcribe with what is said in it. */
interface Spoken {
  name: string;
  text: string;
  samples: Float32Array;
}

const FOLDER = '.cache/default/evaluation';
const TEST_FILE = '.cache/default/test.jsonl';
const TRANSCRIBER = 'recipes/default/transcribe.py';
/** NISQA needs 0.14 s. */
const SHORTEST_SCORED_SECONDS = 0.14;

interface Options {
  python: string;
  items: number;
  part?: 'codec' | 'policy';
  model: string;
}

const values = createProgram(
  'node dist/recipes/default/evaluate.js',
  'measure the embedded default on held-out sentences',
)
  .requiredOption('--python <path>', 'Python with recipes/default/requirements.txt, for the word error rate')
  .option('--items <number>', 'held-out edits to sample', wholeNumber(), 200)
  .addOption(new Option('--part <name>', 'only this one').choices(['codec', 'policy']))
  .option('--model <folder>', 'what is measured', 'models/default')
  .parse()
  .opts<Options>();

// Before minutes go into what needs them.
await checkTranscriber();
if (values.part !== 'policy') listSpoken(TEST_SENTENCES, 1);
if (values.part !== 'codec') requireFile(TEST_FILE, 'node dist/recipes/default/dataset.js');
const codec = await openSpectralCodec(join(values.model, 'codec'), device);
const nisqa = await loadNisqa();
if (values.part !== 'policy') await evaluateCodec(codec, nisqa);
if (values.part !== 'codec') await evaluatePolicy(codec, nisqa);
await nisqa.dispose();
await codec.dispose();

async function evaluateCodec(codec: Codec, nisqa: Nisqa): Promise<void> {
  const utterances = listSpoken(TEST_SENTENCES, 1);
  const originals: Spoken[] = [];
  const decoded: Spoken[] = [];
  const scores = { stoi: [] as number[], original: [] as number[], decoded: [] as number[] };
  const seconds = { audio: 0, decoding: 0 };
  for (const utterance of utterances) {
    const samples = await loadRecording(utterance);
    const codes = await codec.encode(samples);
    await codec.decode(codes);
    const start = performance.now();
    const again = (await codec.decode(codes)).subarray(0, samples.length);
    seconds.decoding += (performance.now() - start) / 1000;
    seconds.audio += again.length / codec.sampleRateHz;
    scores.stoi.push(stoi(samples, again, codec.sampleRateHz));
    scores.original.push((await nisqa.score(samples, codec.sampleRateHz)).mos);
    scores.decoded.push((await nisqa.score(again, codec.sampleRateHz)).mos);
    const name = `${utterance.voice}_${utterance.index}`;
    originals.push({ name, text: utterance.text, samples });
    decoded.push({ name, text: utterance.text, samples: again });
  }
  console.log(
    `codec, ${utterances.length} held-out recordings of ${(seconds.audio / utterances.length).toFixed(2)} s`,
  );
  console.log(`  STOI ${meanOf(scores.stoi).toFixed(3)}, lowest ${Math.min(...scores.stoi).toFixed(3)}`);
  console.log(
    `  NISQA MOS: originals ${meanOf(scores.original).toFixed(2)}, decoded ${meanOf(scores.decoded).toFixed(2)}`,
  );
  console.log(`  decoding takes ${(seconds.decoding / seconds.audio).toFixed(4)} of real time`);
  console.log(
    `  word error rate: originals ${percent(await errorRate('originals', originals))}, decoded ${percent(await errorRate('decoded', decoded))}`,
  );
}

async function evaluatePolicy(codec: Codec, nisqa: Nisqa): Promise<void> {
  const policy = await loadPolicy(join(values.model, 'policy'));
  const sampler = openSampler(policy, device);
  const partner = openPartner(await loadPolicy(join(values.model, 'nar')), device);
  const lines = (await readFile(TEST_FILE, 'utf8')).split('\n').filter(Boolean);
  const all = lines.map((line) => JSON.parse(line) as Line);
  // Eight lines a sentence, one an effect: steps of nine take sentences and effects in turn.
  const items = Array.from(
    { length: Math.min(values.items, all.length) },
    (_, i) => all[(i * 9) % all.length],
  );
  const completions: number[][] = [];
  const prompts = items.map((item) => packPrompt(policy, item.instruction, item.src_encodec[0]));
  const options = { samplesPerPrompt: 1, seed: 1, maxNewTokens: 250 };
  for await (const event of sampler.sample(prompts, options)) {
    if (event.type === 'completion') completions[event.promptIndex] = event.codes;
  }
  const filled = await partner.fill(
    items.map((item, i) => ({
      instruction: item.instruction,
      source: item.src_encodec,
      codebook0: completions[i],
    })),
  );
  await sampler.release();
  await partner.dispose();

  const targets: Spoken[] = [];
  const samples: Spoken[] = [];
  const mos = { target: [] as number[], sample: [] as number[] };
  const changes = new Map<string, { target: number[]; sample: number[] }>();
  const note = (key: string, target: number, made: number) => {
    if (!changes.has(key)) changes.set(key, { target: [], sample: [] });
    changes.get(key)!.target.push(target);
    changes.get(key)!.sample.push(made);
  };
  for (const [i, item] of items.entries()) {
    if (completions[i].length === 0) continue;
    const source = await codec.decode(item.src_encodec);
    const target = await codec.decode(item.tgt_encodec);
    const made = await codec.decode([completions[i], ...filled[i]]);
    const pitchHz = (samples: Float32Array) => measureMedianF0Hz(samples, codec.sampleRateHz) ?? NaN;
    note(`${item.effect}: duration ratio`, target.length / source.length, made.length / source.length);
    note(
      `${item.effect}: level change, dB`,
      measureLevelDb(target) - measureLevelDb(source),
      measureLevelDb(made) - measureLevelDb(source),
    );
    note(`${item.effect}: pitch ratio`, pitchHz(target) / pitchHz(source), pitchHz(made) / pitchHz(source));
    mos.target.push((await nisqa.score(target, codec.sampleRateHz)).mos);
    if (made.length >= SHORTEST_SCORED_SECONDS * codec.sampleRateHz)
      mos.sample.push((await nisqa.score(made, codec.sampleRateHz)).mos);
    const name = `${String(i).padStart(4, '0')}_${item.effect}`;
    targets.push({ name, text: item.text, samples: target });
    samples.push({ name, text: item.text, samples: made });
  }
  console.log(
    `policy and partner, ${samples.length} held-out items, temperature 1; medians, target then sample`,
  );
  for (const [key, { target, sample: made }] of [...changes].sort(([a], [b]) => a.localeCompare(b))) {
    console.log(
      `  ${key.padEnd(32)} ${median(target).toFixed(2).padStart(6)} ${median(made).toFixed(2).padStart(6)}`,
    );
  }
  console.log(
    `  NISQA MOS: decoded targets ${meanOf(mos.target).toFixed(2)}, samples ${meanOf(mos.sample).toFixed(2)} (${samples.length - mos.sample.length} too short to score)`,
  );
  console.log(
    `  word error rate: decoded targets ${percent(await errorRate('targets', targets))}, samples ${percent(await errorRate('samples', samples))}`,
  );
}

/** @throws Error in one sentence where the recognizer cannot be run */
async function checkTranscriber(): Promise<void> {
  await promisify(execFile)(values.python, [TRANSCRIBER, '--help']).catch((error: Error) => {
    const why = error.message.trim().split('\n').at(-1);
    throw new Error(
      `${values.python} cannot run ${TRANSCRIBER} (${why}): --python names a Python that can, once its -m pip install -r recipes/default/requirements.txt has run.`,
    );
  });
}

/** Words wrong of all words said, by the recognizer that recipes/default/transcribe.py runs. */
async function errorRate(part: string, spoken: readonly Spoken[]): Promise<number> {
  const folder = join(FOLDER, part);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const { name, samples } of spoken)
    await writeWav(join(folder, `${name}.wav`), samples, codec.sampleRateHz);
  const { stdout } = await promisify(execFile)(values.python, [TRANSCRIBER, folder], {
    maxBuffer: 1 << 26,
  });
  const transcripts = JSON.parse(stdout) as Record<string, string>;
  const counts = spoken.map(({ name, text }) => wordErrors(text, transcripts[`${name}.wav`]));
  const wrong = counts.reduce(
    (sum, { substitutions, deletions, insertions }) => sum + substitutions + deletions + insertions,
    0,
  );
  return (
    wrong /
    counts.reduce((sum, { hits, substitutions, deletions }) => sum + hits + substitutions + deletions, 0)
  );
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
