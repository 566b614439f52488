import { Tokenizer } from '@huggingface/tokenizers';
import { checkTokenizerFiles, readTokenizerConfig, readTokenizerJson } from './tokenizer-files.js';

/** Text and codec codes to the ids of one vocabulary. */
export interface SpeechTokenizer {
  readonly codebooks: number;
  readonly codebookSize: number;
  /** Id of code 0 of codebook 0; the codes of all codebooks follow it without a gap. */
  readonly firstCodeId: number;
  /** Ids of a text, without `<s>` and `</s>`. */
  encodeText(text: string): number[];
  /** Id of a code: of the token `v_tok_{codebook * codebookSize + code}`. */
  codeId(codebook: number, code: number): number;
}

/**
 * Reads the tokenizer of a Hugging Face folder (tokenizer.json, or vocab.json and merges.txt) whose vocabulary has a token `v_tok_i` for
 * every code of `codebooks` codebooks of `codebookSize` codes.
 * @param sizes.ids how many the model has that reads them; default: as many as there are
 * @throws one sentence naming the file when it is no tokenizer, or code tokens are missing, not contiguous or beyond the model's ids.
 */
export async function loadTokenizer(
  directory: string,
  {
    codebooks,
    codebookSize,
    ids: count = Infinity,
  }: { codebooks: number; codebookSize: number; ids?: number },
): Promise<SpeechTokenizer> {
  const { tokenizer, file } = await openTokenizer(directory);
  const firstCodeId = findFirstCodeId(tokenizer, codebooks * codebookSize, file);
  const checkId = (id: number, what: string) => {
    if (id >= count)
      throw new Error(
        `${file}: ${what} has id ${id}, but the model has ids from 0 to ${count - 1} (vocab_size in its config.json).`,
      );
  };
  const lastCode = codebooks * codebookSize - 1;
  checkId(firstCodeId + lastCode, `v_tok_${lastCode}`);
  return {
    codebooks,
    codebookSize,
    firstCodeId,
    encodeText(text) {
      const { ids, tokens } = encode(tokenizer, text, file);
      const missing = (ids as (number | undefined)[]).indexOf(undefined);
      if (missing >= 0)
        throw new Error(`${file} has no id for ${JSON.stringify(tokens[missing])} in "${text}".`);
      (ids as number[]).forEach((id, i) => checkId(id, `${JSON.stringify(tokens[i])} in "${text}"`));
      return ids;
    },
    codeId(codebook, code) {
      if (!isIndex(codebook, codebooks) || !isIndex(code, codebookSize)) {
        throw new Error(
          `code ${code} of codebook ${codebook} is outside ${codebooks} codebooks of ${codebookSize} codes.`,
        );
      }
      return firstCodeId + codebook * codebookSize + code;
    },
  };
}

async function openTokenizer(directory: string): Promise<{ tokenizer: Tokenizer; file: string }> {
  const { content, file } = await readTokenizerJson(directory);
  const config = await readTokenizerConfig(directory);
  await checkTokenizerFiles(directory, file);
  try {
    return { tokenizer: new Tokenizer(content, config), file };
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}

/** What is wrong in a tokenizer.json may show only when it is used. */
function encode(tokenizer: Tokenizer, text: string, file: string) {
  try {
    return tokenizer.encode(text, { add_special_tokens: false });
  } catch (error) {
    throw new Error(`${file} cannot encode "${text}": ${(error as Error).message}.`, { cause: error });
  }
}

function findFirstCodeId(tokenizer: Tokenizer, codes: number, file: string): number {
  const first = tokenizer.token_to_id('v_tok_0');
  if (first === undefined)
    throw new Error(`${file} has no token v_tok_0: it is not the tokenizer of a speech model.`);
  for (let code = 0; code < codes; code++) {
    const id = tokenizer.token_to_id(`v_tok_${code}`);
    if (id === undefined)
      throw new Error(
        `${file} has no token v_tok_${code}, but a code token is needed for each of ${codes} codes: config.json says how many there are by "codebooks" and "codebook_size", without which EnCodec's 8 and 1024 are assumed.`,
      );
    if (id !== first + code) {
      throw new Error(
        `${file}: v_tok_${code} has id ${id}, not ${first + code}; code tokens must be contiguous.`,
      );
    }
  }
  return first;
}

function isIndex(value: number, size: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < size;
}
