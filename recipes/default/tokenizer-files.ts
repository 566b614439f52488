import type { BytePairEncoding } from './byte-level-bpe.js';

/** Special tokens in the order of their ids, 0 to 4, as BART numbers all but the last. */
export const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'];

const SPECIAL_TOKENS_MAP = {
  bos_token: '<s>',
  eos_token: '</s>',
  mask_token: '<mask>',
  pad_token: '<pad>',
  unk_token: '<unk>',
};

/**
 * tokenizer.json, tokenizer_config.json and special_tokens_map.json of a speech model, as the tokenizers and
 * transformers libraries read them: text by byte-level BPE, then a token `v_tok_i` for each of `codes` codec codes.
 */
export function buildTokenizerFiles(encoding: BytePairEncoding, codes: number): Record<string, object> {
  const special = SPECIAL_TOKENS.map((content, id) => addedToken(id, content, true));
  const firstCodeId = encoding.symbols.length;
  const codeTokens = Array.from({ length: codes }, (_, code) =>
    addedToken(firstCodeId + code, `v_tok_${code}`, false),
  );
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [...special, ...codeTokens],
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: templateProcessing(),
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: '<unk>',
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        vocab: Object.fromEntries(encoding.symbols.map((symbol, id) => [symbol, id])),
        merges: encoding.merges.map(([left, right]) => `${left} ${right}`),
      },
    },
    'tokenizer_config.json': {
      added_tokens_decoder: Object.fromEntries(special.map(({ id, ...token }) => [id, token])),
      ...SPECIAL_TOKENS_MAP,
      clean_up_tokenization_spaces: false,
      tokenizer_class: 'PreTrainedTokenizerFast',
    },
    'special_tokens_map.json': SPECIAL_TOKENS_MAP,
  };
}

function addedToken(id: number, content: string, special: boolean) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

/** `<s> A </s>`, and for a pair `<s> A </s> </s> B </s>`. */
function templateProcessing(): object {
  const begin = { SpecialToken: { id: '<s>', type_id: 0 } };
  const end = { SpecialToken: { id: '</s>', type_id: 0 } };
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const special = (token: string) => ({ id: token, ids: [SPECIAL_TOKENS.indexOf(token)], tokens: [token] });
  return {
    type: 'TemplateProcessing',
    single: [begin, sequence('A'), end],
    pair: [begin, sequence('A'), end, end, sequence('B'), end],
    special_tokens: { '</s>': special('</s>'), '<s>': special('<s>') },
  };
}
