import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { trainByteLevelBpe } from '../../recipes/default/byte-level-bpe.js';
import { buildTokenizerFiles, SPECIAL_TOKENS } from '../../recipes/default/tokenizer-files.js';
import { temporaryFolder } from './temporary-folder.js';

/** A folder with the files of a tokenizer trained on `texts`, after `change` has had its way with tokenizer.json. */
export function tokenizerFolder(
  { texts = [], merges = 0, codes }: { texts?: string[]; merges?: number; codes: number },
  change: (tokenizerJson: { added_tokens: { id: number; content: string }[] }) => void = () => undefined,
): string {
  const folder = temporaryFolder();
  const files = buildTokenizerFiles(trainByteLevelBpe(texts, merges, SPECIAL_TOKENS), codes);
  change(files['tokenizer.json'] as Parameters<typeof change>[0]);
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), JSON.stringify(content));
  return folder;
}
