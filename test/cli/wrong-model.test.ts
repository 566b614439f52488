import { readdirSync } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { savePretrained } from '../../lib/policy/pretrained.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { main } from '../../lib/cli/main.js';
import { captureTerminal } from '../support/terminal.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { tinyConfig, tinyWeights } from '../support/tiny-bart.js';
import { tokenizerFolder } from '../support/tokenizer-folder.js';

const terminal = captureTerminal();

/** A model folder with policy, partner and one prompt of three frames; no codec. */
async function makeModel(): Promise<string> {
  const model = temporaryFolder();
  const tokenizer = tokenizerFolder({ codes: 8 });
  const { added_tokens } = JSON.parse(await readFile(join(tokenizer, 'tokenizer.json'), 'utf8')) as {
    added_tokens: { id: number }[];
  };
  const config = tinyConfig({
    vocab_size: Math.max(...added_tokens.map(({ id }) => id)) + 1,
    max_position_embeddings: 16,
    codebooks: 2,
    codebook_size: 4,
  });
  for (const name of ['policy', 'nar']) {
    await savePretrained(join(model, name), {
      architecture: bart,
      config: { ...config, partner: name === 'nar' },
      weights: tinyWeights(config),
      copyTokenizerFrom: tokenizer,
    });
  }
  await writePrompts(model, 3);
  return model;
}

async function writePrompts(model: string, frames: number): Promise<void> {
  const codes = [new Array<number>(frames).fill(1), new Array<number>(frames).fill(2)];
  const item = { src_encodec: codes, instruction: 'Fast', tgt_encodec: codes };
  await writeFile(join(model, 'prompts.json'), JSON.stringify({ train: [item], test: [item] }));
}

async function changeConfig(folder: string, changes: object): Promise<void> {
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...config, ...changes }));
}

const damages: [string, string, (model: string) => Promise<void>][] = [
  [
    'a truncated safetensors file',
    'policy/model.safetensors',
    (model) => truncate(join(model, 'policy/model.safetensors'), 1000),
  ],
  [
    'a tampered safetensors header',
    'nar/model.safetensors',
    async (model) => {
      const path = join(model, 'nar/model.safetensors');
      const bytes = await readFile(path);
      bytes.write('9', bytes.indexOf('"data_offsets":[') + 16);
      await writeFile(path, bytes);
    },
  ],
  [
    'a config.json of another architecture',
    "model_type 'gpt2'",
    (model) => writeFile(join(model, 'policy/config.json'), '{"model_type":"gpt2"}'),
  ],
  [
    'a partner in the place of the policy',
    'policy holds a partner, which writes codebooks 1 and up, and no policy',
    (model) => changeConfig(join(model, 'policy'), { partner: true }),
  ],
  [
    "the research code's partner in the place of the policy",
    'policy holds a partner, which writes codebooks 1 and up, and no policy',
    (model) => changeConfig(join(model, 'policy'), { architectures: ['NARBartForConditionalGeneration'] }),
  ],
  [
    'a policy in the place of the partner',
    'nar holds a policy, which writes codebook 0, and no partner, which writes codebooks 1 and up: ',
    (model) => changeConfig(join(model, 'nar'), { partner: undefined }),
  ],
  [
    'a tokenizer with more codes than the model has ids',
    'but the model has ids from 0 to',
    async (model) => {
      const config = tinyConfig({
        ...{ vocab_size: 264, max_position_embeddings: 16, codebooks: 2, codebook_size: 4 },
      });
      const path = join(model, 'policy');
      const weights = tinyWeights(config);
      await savePretrained(path, { architecture: bart, config, weights, copyTokenizerFrom: path });
    },
  ],
  [
    'a prompt longer than the positions of the model',
    "more than the model's 16 positions",
    (model) => writePrompts(model, 30),
  ],
];

const damagesAndCounts = [
  ...damages.map((damage) => [...damage, 1] as const),
  ['fewer prompts than asked for', 'the prompts file has 1', async () => undefined, 2] as const,
];

it.each(damagesAndCounts)('%s: one sentence, exit code 2, no files', async (_, message, damage, count) => {
  const model = await makeModel();
  await damage(model);
  const output = temporaryFolder();
  const counts = ['--train-prompts', String(count), '--test-prompts', '1'];
  const args = ['even-token', '--model', model, '--output', output, ...counts];
  expect(await main(args, new AbortController().signal)).toBe(2);
  expect(terminal.complained).toMatch(/^error: [^\n]+\n$/);
  expect(terminal.complained).toContain(message);
  expect(readdirSync(output)).toEqual([]);
});
