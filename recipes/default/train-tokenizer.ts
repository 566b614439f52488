/**
 * Makes the embedded default's tokenizer from the instruction wordings, next to its policy's weights.
 *
 *     node dist/recipes/default/train-tokenizer.js
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../../lib/checkpoint/atomic.js';
import { createProgram } from '../program.js';
import { trainByteLevelBpe } from './byte-level-bpe.js';
import { INSTRUCTIONS } from './instructions.js';
import { buildTokenizerFiles, SPECIAL_TOKENS } from './tokenizer-files.js';

const CODES = 8 * 256;
const MERGES = 350;

const values = createProgram(
  'node dist/recipes/default/train-tokenizer.js',
  'make the tokenizer from the wordings of instructions',
)
  .option('--out <folder>', 'folder to write', 'models/default/policy')
  .parse()
  .opts<{ out: string }>();

// Held-out wordings stay out, as they do in training.
const texts = Object.values(INSTRUCTIONS).flatMap(({ training }) => training);
const encoding = trainByteLevelBpe(texts, MERGES, SPECIAL_TOKENS);
for (const [name, content] of Object.entries(buildTokenizerFiles(encoding, CODES))) {
  await writeFileAtomic(join(values.out, name), `${JSON.stringify(content)}\n`);
}
console.log(
  `${values.out}: ${encoding.symbols.length} text tokens (${encoding.merges.length} merges) and ${CODES} codes`,
);
