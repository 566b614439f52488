/** A tokenizer's files in a Hugging Face folder, in either of the two layouts there are for BART. */
import { join } from 'node:path';
import { z } from 'zod';
import { exists, locateInside } from '../checkpoint/files.js';
import { readJsonFile } from '../checkpoint/json-file.js';
import { TOKENIZER_FILES } from '../checkpoint/model-files.js';
import { readTextFile } from '../checkpoint/text-file.js';

const id = z.int().min(0);

const tokenizerSchema = z.looseObject({
  model: z.looseObject({}),
  added_tokens: z.array(z.looseObject({ id, content: z.string() })),
});
const idsSchema = z.record(z.string(), id);

/** What tokenizer.json holds, as the tokenizers library writes it. */
export type TokenizerJson = z.infer<typeof tokenizerSchema>;

const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

/**
 * The content of tokenizer.json; where a folder has none, what transformers makes of the older vocab.json, merges.txt and
 * added_tokens.json (convert_slow_tokenizer.py, RobertaConverter).
 *
 * @returns the content, and the file to name when something in it is wrong
 * @throws one sentence naming the file that is missing or no tokenizer's
 */
export async function readTokenizerJson(
  directory: string,
): Promise<{ content: TokenizerJson; file: string }> {
  const file = join(directory, 'tokenizer.json');
  const vocabularyFile = join(directory, 'vocab.json');
  if (!(await exists(file)) && (await exists(vocabularyFile))) {
    return { content: await readOldLayout(directory, vocabularyFile), file: vocabularyFile };
  }
  const content = tokenizerSchema.safeParse(await readJsonFile(file));
  if (!content.success) throw new Error(`${file} is not a tokenizer as the tokenizers library writes it.`);
  return { content: content.data, file };
}

/** tokenizer_config.json, which is optional. */
export async function readTokenizerConfig(directory: string): Promise<object> {
  const file = join(directory, 'tokenizer_config.json');
  if (!(await exists(file))) return {};
  const config = z.looseObject({}).safeParse(await readJsonFile(file));
  if (!config.success) throw new Error(`${file} is not a JSON object.`);
  return config.data;
}

/**
 * Reads the files that come along with a checkpoint though nothing here uses them, so that one that never came, or that may not be copied, is
 * told before training.
 *
 * @param read the largest of them, which was read already
 * @throws Error naming the file that is a Git LFS pointer, a web page or no UTF-8, or a link that leads out of the folder
 */
export async function checkTokenizerFiles(directory: string, read: string): Promise<void> {
  for (const name of TOKENIZER_FILES) {
    const file = join(directory, name);
    if (!(await exists(file))) continue;
    await locateInside(directory, name);
    if (file !== read) await readTextFile(file);
  }
}

async function readOldLayout(directory: string, vocabularyFile: string): Promise<TokenizerJson> {
  const vocabulary = await readIds(vocabularyFile);
  const addedFile = join(directory, 'added_tokens.json');
  const added = (await exists(addedFile)) ? await readIds(addedFile) : {};
  const special = SPECIAL_TOKENS.filter((token) => token in vocabulary).map((content) => ({
    id: vocabulary[content],
    content,
    special: true,
    // "a <mask>" is masked together with its space.
    lstrip: content === '<mask>',
  }));
  const others = Object.entries(added).map(([content, id]) => ({
    id,
    content,
    special: false,
    lstrip: false,
  }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    added_tokens: [...special, ...others]
      .sort((a, b) => a.id - b.id)
      .map((token) => ({ ...token, rstrip: false, single_word: false, normalized: false })),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab: vocabulary,
      merges: await readMerges(join(directory, 'merges.txt')),
    },
  };
}

async function readIds(file: string): Promise<Record<string, number>> {
  const ids = idsSchema.safeParse(await readJsonFile(file));
  if (!ids.success) throw new Error(`${file} must map tokens to ids.`);
  return ids.data;
}

/** Lines of two symbols each, the most important first; the first line may be a "#version" comment. */
async function readMerges(file: string): Promise<string[]> {
  const text = await readTextFile(file);
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const merges = lines.filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
  const wrong = merges.find((line) => !/^\S+ \S+$/.test(line));
  if (wrong !== undefined) {
    throw new Error(`${file} must hold two symbols a line, found ${JSON.stringify(wrong.slice(0, 40))}.`);
  }
  return merges;
}
