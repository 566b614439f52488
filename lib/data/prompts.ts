import { z } from 'zod';
import { readJsonFile } from '../checkpoint/json-file.js';
import { HALF_CHARACTER, isWholeText } from '../checkpoint/text-file.js';
import type { Codec } from '../codec/codec.js';
import type { DatasetItem } from './item.js';
import { resolveModelPart } from '../package-root.js';
import { describeIssues } from '../zod-message.js';

/** A model's prompts, split by sentence: test items share none with train items. */
export interface Prompts {
  train: DatasetItem[];
  test: DatasetItem[];
}

type CodecShape = Pick<Codec, 'codebooks' | 'codebookSize'>;

/**
 * Reads a prompts file: JSON `{train: DatasetItem[], test: DatasetItem[]}`, codes checked against the codec.
 *
 * @param path "default" is the embedded model's prompts
 * @throws Error naming the file, the item and what is wrong with it
 */
export async function loadPrompts(path: string, codec: CodecShape): Promise<Prompts> {
  const file = resolveModelPart(path, 'prompts.json');
  const result = promptsSchema(codec).safeParse(await readJsonFile(file));
  if (!result.success) throw new Error(`${file}: ${describeIssues(result.error)}`);
  return result.data;
}

function promptsSchema({ codebooks, codebookSize }: CodecShape) {
  const code = z
    .number()
    .int()
    .min(0)
    .lt(codebookSize, `code out of range; the codec has codes 0 to ${codebookSize - 1}`);
  const codes = z
    .array(z.array(code).min(1, 'no frames'))
    .length(codebooks, `expected ${codebooks} codebooks, as the codec has`)
    .refine((rows) => rows.every((row) => row.length === rows[0].length), 'codebooks differ in length');
  const item = z.strictObject({
    src_encodec: codes,
    instruction: z.string().min(1).refine(isWholeText, HALF_CHARACTER),
    tgt_encodec: codes,
    text: z.string().optional(),
  });
  return z.strictObject({ train: z.array(item), test: z.array(item) });
}
