import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readWav } from '../audio/wav.js';
import { writeFileAtomic } from '../checkpoint/atomic.js';
import { refuseToOverwrite } from '../checkpoint/files.js';
import { readTextFile } from '../checkpoint/text-file.js';
import type { Codec, Codes } from '../codec/codec.js';
import type { DatasetItem } from '../data/item.js';
import { openCodec } from '../codec/open.js';
import { leftAfter } from '../left-after.js';
import { holdingLock } from '../run/lock.js';
import { encodeRecording } from './encode-recording.js';
import { openDevice, openPolicy, type GivenDevice } from './open.js';
import { findModelPart, whyUnreadable, type ModelSources } from './sources.js';
import { tellingFirst } from '../plain-error.js';
import type { OnNotice } from '../notice.js';
import type { Policy } from '../policy/policy.js';

/** Which recordings become a dataset, and by which codec. */
export interface PrepareOptions extends Pick<ModelSources, 'model' | 'codec'>, GivenDevice {
  /** How many of the codec's codebooks, the first ones; default: as many as the model's policy has, with `codec` as `openCodec`. */
  codebooks?: number;
  /** Folder of the recordings. */
  wav: string;
  /**
   * Text file, an item a line, with tabs between: source recording, instruction and, if they are there, edited recording and the words that are
   * spoken in it.
   */
  instructions: string;
  /** Dataset to write, JSON Lines. */
  output: string;
  /** Whether `output` may replace a file; default false. */
  overwrite?: boolean;
  signal?: AbortSignal;
  /** Is told before each item how many are encoded. */
  onProgress?: (done: number, total: number) => void;
  /** Is told of downloads, and of items without an edited recording or that the model's policy cannot read. */
  onNotice?: OnNotice;
}

interface Line {
  /** From 1. */
  number: number;
  source: string;
  instruction: string;
  target?: string;
  text?: string;
}

/**
 * Makes a dataset of recordings, as `loadData` reads it: their codes by the codec's encoder. Recordings are mixed to mono and resampled
 * to the codec's rate. An item without an edited recording gets its source as target, which training uses only with `pairing: 'target'` and
 * a guard's fidelity. `onNotice` is told of such items, and of those that the model's policy cannot read; with a codec of its own the dataset
 * is for another policy.
 *
 * @returns how many items were written
 * @throws Error when there is an `output` already or another process makes it, or naming the line or recording that cannot be read
 */
export const prepareDataset = tellingFirst(async function (options: PrepareOptions): Promise<number> {
  const { instructions, output, codebooks: wanted, signal, onNotice } = options;
  if (wanted !== undefined && !(Number.isSafeInteger(wanted) && wanted > 0))
    throw new Error(`${wanted} codebooks were asked for: a whole number from 1 on is expected`);
  await refuseToOverwrite(output, options.overwrite);
  const lines = parseLines(await readTextFile(instructions), instructions);
  await using opened = openDevice(options);
  const { device } = opened;
  const policy = options.codec === undefined ? await openPolicy(options, { signal, onNotice }) : undefined;
  const codebooks = wanted ?? policy?.tokenizer.codebooks;
  const folder = await findModelPart(options, 'codec', { signal, onNotice });
  const codec = await openCodec(folder, device, { codebooks });
  await using _codec = { [Symbol.asyncDispose]: () => codec.dispose() };
  if (wanted !== undefined && wanted !== codec.codebooks)
    throw new Error(
      `${wanted} codebooks were asked for, and the codec in ${folder} has ${codec.codebooks}${wanted < codec.codebooks ? '; only an EnCodec is used with fewer than it has' : ''}`,
    );
  const writing = () => writeItems(lines, { ...options, codec, policy });
  return await holdingLock(dirname(output), writing, basename(output));
});

async function writeItems(
  lines: readonly Line[],
  parts: Omit<PrepareOptions, 'codec'> & { codec: Codec; policy?: Policy },
): Promise<number> {
  const { wav, instructions, output, overwrite, codec, policy, signal, onProgress, onNotice } = parts;
  checkRecordings(lines, parts);
  const encode = createEncoder(wav, codec, signal);
  const items: string[] = [];
  const unreadable: string[] = [];
  const unedited = lines.filter(({ target }) => target === undefined);
  for (const { number, source, instruction, target, text } of lines) {
    signal?.throwIfAborted();
    onProgress?.(items.length, lines.length);
    const item: DatasetItem = {
      src_encodec: await encode(source),
      instruction,
      tgt_encodec: await encode(target ?? source),
      ...(text !== undefined && { text }),
    };
    items.push(`${JSON.stringify(item)}\n`);
    const reason = policy && whyUnreadable(policy, item);
    if (reason !== undefined) unreadable.push(`line ${number}: ${reason}`);
  }
  signal?.throwIfAborted();
  // Another program may have written one meanwhile.
  await refuseToOverwrite(output, overwrite);
  await writeFileAtomic(output, items.join(''));
  if (unreadable.length > 0)
    onNotice?.(
      `${instructions}: the model cannot read ${unreadable.length} of ${items.length} items, and runs leave them out; the first is ${unreadable[0]}`,
    );
  if (unedited.length > 0)
    onNotice?.(
      `${instructions}: ${unedited.length} of ${items.length} items name no edited recording, the first in line ${unedited[0].number}: their target is the recording itself, which --pairing target would teach the policy to write, and by which a guard measures the fidelity of edits`,
    );
  return items.length;
}

function parseLines(text: string, file: string): Line[] {
  const lines = text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === '') return [];
    const fields = line.split('\t').map((field) => field.trim());
    const [source, instruction, target, text] = fields;
    if (!source || !instruction || fields.length > 4 || (fields.length > 2 && fields.at(-1) === '')) {
      throw new Error(
        `${file}: line ${index + 1} must be a recording, an instruction and perhaps the edited recording and the words that are spoken, with tabs between.`,
      );
    }
    return { number: index + 1, source, instruction, target: target || undefined, text };
  });
  if (lines.length === 0) throw new Error(`${file} has no lines.`);
  return lines;
}

/** Before many recordings are encoded, since one that is not there ends all. */
function checkRecordings(
  lines: readonly Line[],
  { wav, instructions }: Pick<PrepareOptions, 'wav' | 'instructions'>,
): void {
  for (const { number, source, target } of lines) {
    const missing = [source, target ?? source]
      .map((name) => join(wav, name))
      .find((file) => !existsSync(file));
    if (missing !== undefined) throw new Error(`${instructions}: line ${number}: ${missing} does not exist.`);
  }
}

/** Codes of a recording; one that several lines name is encoded once. Who ends it does not wait for the end of a long recording. */
function createEncoder(folder: string, codec: Codec, signal?: AbortSignal): (name: string) => Promise<Codes> {
  const known = new Map<string, Codes>();
  const encode = async (file: string) => encodeRecording(await readWav(file), file, codec);
  return async (name) => {
    const file = join(folder, name);
    const codes = known.get(file) ?? (await (signal ? leftAfter(0, signal, encode(file)) : encode(file)));
    known.set(file, codes);
    return codes;
  };
}
