/**
 * Byte-pair encoding over bytes, as GPT-2 and BART have it (Sennrich et al. 2016; Radford et al. 2019). Any text has ids; none is unknown.
 * The merges are those that Hugging Face's `BpeTrainer` finds: most frequent pair first, ties by the smaller ids.
 */

/** GPT-2's split of a text into words, each with the blank before it. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface BytePairEncoding {
  /** Symbols in the order of their ids: the special tokens, 256 byte symbols, then one for each merge. */
  symbols: string[];
  /** Pairs of symbols to join, the first learnt first. */
  merges: [string, string][];
}

interface Word {
  ids: number[];
  count: number;
}

/**
 * Learns at most `mergeCount` merges from texts; stops earlier when no pair occurs twice.
 * @param specialTokens take the first ids.
 */
export function trainByteLevelBpe(
  texts: string[],
  mergeCount: number,
  specialTokens: string[],
): BytePairEncoding {
  const symbols = [...specialTokens, ...[...byteSymbols()].sort()];
  const ids = new Map(symbols.map((symbol, id) => [symbol, id]));
  const words = countWords(texts, ids);
  const merges: [string, string][] = [];
  while (merges.length < mergeCount) {
    const pair = findMostFrequentPair(words, symbols.length);
    if (!pair) break;
    const [left, right] = pair;
    const merged = symbols[left]! + symbols[right]!;
    merges.push([symbols[left]!, symbols[right]!]);
    if (!ids.has(merged)) {
      ids.set(merged, symbols.length);
      symbols.push(merged);
    }
    for (const word of words) word.ids = join(word.ids, left, right, ids.get(merged)!);
  }
  return { symbols, merges };
}

/** The printable character that stands for each byte: itself where it is printable Latin-1, else one from U+0100 on. */
export function byteSymbols(): string[] {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

function countWords(texts: string[], ids: Map<string, number>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const symbolOfByte = byteSymbols();
  return [...counts].map(([word, count]) => ({
    ids: [...new TextEncoder().encode(word)].map((byte) => ids.get(symbolOfByte[byte]!)!),
    count,
  }));
}

function findMostFrequentPair(words: Word[], symbolCount: number): [number, number] | undefined {
  const counts = new Map<number, number>();
  for (const { ids, count } of words) {
    for (let i = 1; i < ids.length; i++) {
      const pair = ids[i - 1]! * symbolCount + ids[i]!;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best = -1;
  let bestCount = 1;
  for (const [pair, count] of counts) {
    if (count > bestCount || (count === bestCount && pair < best)) [best, bestCount] = [pair, count];
  }
  return best < 0 ? undefined : [Math.floor(best / symbolCount), best % symbolCount];
}

function join(ids: number[], left: number, right: number, merged: number): number[] {
  const joined: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      joined.push(merged);
      i++;
    } else joined.push(ids[i]!);
  }
  return joined;
}
