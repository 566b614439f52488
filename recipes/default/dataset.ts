/**
 * Writes the default's dataset: each item is one spoken sentence and the same with one effect, both as codes. Some of the edits,
 * those of test sentences apart, have a noisy room around them.
 *
 *     node dist/recipes/default/dataset.js [phrases=6000] [voices per phrase=1] [processes=2]
 *
 * Reads .cache/default/speech and the codebooks, writes .cache/default/{train,validation,test}.jsonl. Batches that are done stay in
 * .cache/default/items, so that an interrupted run goes on; delete that folder after training new codebooks.
 */
import { CpuDevice } from '../../lib/engine/index.js';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { applyEffect, EFFECTS, type Effect } from '../../lib/audio/effects.js';
import { writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import type { DatasetItem } from '../../lib/data/item.js';
import { SAMPLE_RATE_HZ } from '../../lib/codec/spectral/features.js';
import { openEncoder, type Encoder } from '../../lib/codec/spectral/encoder.js';
import { Option } from 'commander';
import { createProgram, wholeNumber } from '../program.js';
import { CODEBOOKS_FILE, readCodebooks } from './codebooks-file.js';
import { INSTRUCTIONS } from './instructions.js';
import { FEWEST_SENTENCES, loadRecording, splitOf, SPLITS, type Split } from './recordings.js';
import { addRoomNoise } from './room-noise.js';
import { listSpoken, type Utterance } from './utterances.js';

const device = new CpuDevice();

/** A line of the files: the item, and where it came from. */
interface Line extends DatasetItem {
  text: string;
  voice: string;
  effect: Effect;
  /** The target was recorded in a noisy room. */
  noisy: boolean;
}

const ITEMS_FOLDER = '.cache/default/items';
const BATCH = 100;
/** 2.6 s: longer recordings are left out. */
const LONGEST_SOURCE = 130;
const EFFECTS_PER_TRAINING_SENTENCE = 3;

const outputFile = (split: Split): string => `.cache/default/${split}.jsonl`;
const partialFile = (split: Split): string => `${outputFile(split)}.partial`;
/** The last batch has what is left: fewer sentences make other batches. */
const batchFile = (utterances: readonly Utterance[], batch: number): string =>
  `${ITEMS_FOLDER}/of-${utterances.length}/${String(batch).padStart(4, '0')}.jsonl`;

/** Three of the effects in turn for training, every one for validation and test. */
function chooseEffects(utterance: Utterance): readonly Effect[] {
  if (splitOf(utterance) !== 'train') return EFFECTS;
  const first = utterance.index * EFFECTS_PER_TRAINING_SENTENCE;
  return Array.from(
    { length: EFFECTS_PER_TRAINING_SENTENCE },
    (_, i) => EFFECTS[(first + i) % EFFECTS.length],
  );
}

/** Wordings in turn; every second test sentence gets one that training never shows. */
function chooseInstruction(utterance: Utterance, effect: Effect): string {
  const heldOut = splitOf(utterance) === 'test' && utterance.index % 2 === 1;
  const wordings = heldOut ? INSTRUCTIONS[effect].heldOut : INSTRUCTIONS[effect].training;
  return wordings[(utterance.index >> 1) % wordings.length];
}

async function makeItems(utterance: Utterance, encoder: Encoder): Promise<Line[]> {
  const samples = await loadRecording(utterance);
  const source = await encoder.encode(samples);
  if (source[0].length > LONGEST_SOURCE) return [];
  const items: Line[] = [];
  for (const effect of chooseEffects(utterance)) {
    const edited = applyEffect(effect, samples, SAMPLE_RATE_HZ);
    const isTest = splitOf(utterance) === 'test';
    const noisy = isTest ? null : addRoomNoise(edited, utterance.index, EFFECTS.indexOf(effect));
    items.push({
      src_encodec: source,
      instruction: chooseInstruction(utterance, effect),
      tgt_encodec: await encoder.encode(noisy ?? edited),
      text: utterance.text,
      voice: utterance.voice,
      effect,
      noisy: noisy !== null,
    });
  }
  return items;
}

/** Every `processes`-th batch that is not there yet. */
async function makeBatches(
  utterances: readonly Utterance[],
  which: number,
  processes: number,
): Promise<void> {
  const { scale, codebooks } = await readCodebooks();
  const encoder = await openEncoder(scale, codebooks, device);
  for (let batch = which; batch * BATCH < utterances.length; batch += processes) {
    if (existsSync(batchFile(utterances, batch))) continue;
    const lines: string[] = [];
    for (const utterance of utterances.slice(batch * BATCH, (batch + 1) * BATCH)) {
      for (const item of await makeItems(utterance, encoder)) lines.push(JSON.stringify(item) + '\n');
    }
    await writeFileAtomic(batchFile(utterances, batch), lines.join(''));
  }
  await encoder.dispose();
}

/** Joins the batches that are there into one file per split. */
async function writeSplits(utterances: readonly Utterance[]): Promise<void> {
  const splitOfText = new Map(utterances.map((utterance) => [utterance.text, splitOf(utterance)]));
  const streams = new Map(SPLITS.map((split) => [split, createWriteStream(partialFile(split))]));
  const counts = new Map(SPLITS.map((split) => [split, { items: 0, frames: 0 }]));
  for (let batch = 0; batch * BATCH < utterances.length; batch++) {
    if (!existsSync(batchFile(utterances, batch))) continue;
    for (const line of (await readFile(batchFile(utterances, batch), 'utf8')).split('\n').filter(Boolean)) {
      const item = JSON.parse(line) as Line;
      const split = splitOfText.get(item.text)!;
      if (!streams.get(split)!.write(line + '\n')) await once(streams.get(split)!, 'drain');
      const count = counts.get(split)!;
      count.items++;
      count.frames += item.tgt_encodec[0].length;
    }
  }
  for (const split of SPLITS) {
    streams.get(split)!.end();
    await once(streams.get(split)!, 'finish');
    await rename(partialFile(split), outputFile(split));
    const { items, frames } = counts.get(split)!;
    console.log(
      `${outputFile(split)}: ${items} items, ${(frames / items).toFixed(1)} target frames on average`,
    );
  }
}

/** @throws Error in one sentence where a batch was made before the codebooks that there are */
async function checkAge(utterances: readonly Utterance[]): Promise<void> {
  const { mtimeMs } = await stat(CODEBOOKS_FILE);
  for (let batch = 0; batch * BATCH < utterances.length; batch++) {
    const file = batchFile(utterances, batch);
    if (existsSync(file) && (await stat(file)).mtimeMs < mtimeMs)
      throw new Error(
        `${file} is older than ${CODEBOOKS_FILE}, whose codes mean something else: delete ${ITEMS_FOLDER} and run this again.`,
      );
  }
}

async function main(): Promise<void> {
  const program = createProgram(
    'node dist/recipes/default/dataset.js',
    'write sentences and their edits as codes, after speech.js and codebooks.js',
  )
    .argument('[phrases]', 'so many sentences', wholeNumber(FEWEST_SENTENCES), 6000)
    .argument('[voices]', 'that speak each phrase', wholeNumber(), 1)
    .argument('[processes]', 'that share the work', wholeNumber(), 2)
    .addOption(new Option('--which <process>').argParser(wholeNumber(0)).hideHelp())
    .parse();
  const [phrases, voicesPerPhrase, processes] = program.processedArgs as [number, number, number];
  const { which } = program.opts<{ which?: number }>();
  const utterances = listSpoken(phrases, voicesPerPhrase);
  if (which !== undefined) return makeBatches(utterances, which, processes);
  await readCodebooks();
  await checkAge(utterances);
  const children = Array.from({ length: processes }, (_, child) =>
    fork(fileURLToPath(import.meta.url), [
      ...[phrases, voicesPerPhrase, processes].map(String),
      `--which=${child}`,
    ]),
  );
  const statuses = await Promise.all(
    children.map(async (child) => (await once(child, 'exit'))[0] as number | null),
  );
  if (statuses.some((status) => status !== 0))
    throw new Error(`A process ended with status ${statuses.join(', ')}; see the messages above.`);
  await writeSplits(utterances);
}

await main();
