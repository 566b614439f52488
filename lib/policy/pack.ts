/** Instruction and codes as token ids, packed as the research code packs them. */
import type { ModelConfig } from './architecture.js';
import type { SpeechTokenizer } from './tokenizer.js';

interface Packing {
  readonly config: ModelConfig;
  readonly tokenizer: SpeechTokenizer;
}

/** A packed prompt needs more than bos, sep and eos: the research code drops items of 4 ids and fewer. */
const SHORTEST_PROMPT = 5;

/** `<s>` and two `</s>`. */
const MARKS = 3;

/** Codes of the longest recording that the policy reads with an instruction; none are left where the instruction alone is too long. */
export function longestSource({ config, tokenizer }: Packing, instruction: string): number {
  return Math.max(0, config.max_position_embeddings - tokenizer.encodeText(instruction).length - MARKS);
}

/** @throws Error in one sentence, with the beginning of the instruction, when it leaves no position to a recording */
export function checkInstruction(policy: Packing, instruction: string): void {
  if (longestSource(policy, instruction) > 0) return;
  const { length } = policy.tokenizer.encodeText(instruction);
  const start = instruction.length > 40 ? `${instruction.slice(0, 40)}...` : instruction;
  throw new Error(
    `the instruction "${start}" is too long: its ${length} ids leave no room for a recording in the model's ${policy.config.max_position_embeddings} positions; give a shorter one`,
  );
}

/**
 * What the policy is asked: `<s>` instruction `</s>` codebook-0 codes `</s>` (the separator is eos).
 * @throws if the prompt has more ids than the model has positions, or nothing to edit
 */
export function packPrompt(policy: Packing, instruction: string, sourceCodes: readonly number[]): number[] {
  const { config, tokenizer } = policy;
  const text = tokenizer.encodeText(instruction);
  const codes = sourceCodes.map((code) => tokenizer.codeId(0, code));
  const ids = [config.bos_token_id, ...text, config.eos_token_id, ...codes, config.eos_token_id];
  if (ids.length < SHORTEST_PROMPT) {
    throw new Error(
      `the prompt "${instruction}" with ${codes.length} codes has ${ids.length} ids: at least ${SHORTEST_PROMPT} are needed`,
    );
  }
  if (ids.length > config.max_position_embeddings) {
    checkInstruction(policy, instruction);
    throw new Error(
      `the prompt "${instruction}" has ${ids.length} ids (${text.length} of text, ${codes.length} codes), more than the model's ` +
        `${config.max_position_embeddings} positions: use a recording of at most ${longestSource(policy, instruction)} frames`,
    );
  }
  return ids;
}

/** What the policy learns to write: `<s>` codes `</s>`, as labels. */
export function packCompletion({ config, tokenizer }: Packing, codes: readonly number[]): number[] {
  const ids = [config.bos_token_id, ...codes.map((code) => tokenizer.codeId(0, code)), config.eos_token_id];
  if (ids.length > config.max_position_embeddings) {
    const positions = config.max_position_embeddings;
    throw new Error(
      `a completion of ${codes.length} codes has ${ids.length} ids with <s> and </s>, more than the model's ${positions} positions: ` +
        `at most ${positions - 2} codes fit`,
    );
  }
  return ids;
}
