/**
 * Picks the default's prompts from its dataset: for each split 16 items of different sentences, the effects in turn, targets without
 * noise.
 *
 *     node dist/recipes/default/prompts.js
 *
 * Reads .cache/default/{train,test}.jsonl, writes models/default/prompts.json.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { EFFECTS, type Effect } from '../../lib/audio/effects.js';
import { writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import type { DatasetItem } from '../../lib/data/item.js';
import type { Prompts } from '../../lib/data/prompts.js';
import { createProgram, requireFile } from '../program.js';

const PROMPTS = 16;
const OUTPUT = 'models/default/prompts.json';

async function pickPrompts(path: string): Promise<DatasetItem[]> {
  requireFile(path, 'node dist/recipes/default/dataset.js');
  const items: DatasetItem[] = [];
  const texts = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (items.length === PROMPTS) break;
    const { text, effect, noisy, src_encodec, instruction, tgt_encodec } = JSON.parse(line) as DatasetItem & {
      text: string;
      effect: Effect;
      noisy: boolean;
    };
    if (noisy || texts.has(text) || effect !== EFFECTS[items.length % EFFECTS.length]) continue;
    texts.add(text);
    items.push({ src_encodec, instruction, tgt_encodec, text });
  }
  if (items.length < PROMPTS)
    throw new Error(
      `${path} gives ${items.length} prompts, ${PROMPTS} are needed: run node dist/recipes/default/dataset.js with more phrases.`,
    );
  return items;
}

createProgram(
  'node dist/recipes/default/prompts.js',
  `pick the prompts from the dataset and write ${OUTPUT}`,
).parse();

const prompts: Prompts = {
  train: await pickPrompts('.cache/default/train.jsonl'),
  test: await pickPrompts('.cache/default/test.jsonl'),
};
await writeFileAtomic(OUTPUT, JSON.stringify(prompts));
console.log(`${OUTPUT}: ${prompts.train.length} train and ${prompts.test.length} test prompts`);
