/** Word and character error rates of transcripts. */

/** One step of an alignment of two texts, word by word. */
export interface AlignedWord {
  kind: 'hit' | 'substitution' | 'deletion' | 'insertion';
  /** The reference's word; absent for an insertion. */
  reference?: string;
  /** The hypothesis' word; absent for a deletion. */
  hypothesis?: string;
}

/** How two texts differ, word by word. */
export interface WordErrors {
  /** (substitutions + deletions + insertions) / words of the reference: 0 is perfect, more than 1 is possible. */
  wer: number;
  hits: number;
  substitutions: number;
  deletions: number;
  insertions: number;
  alignment: AlignedWord[];
}

/**
 * Word error rate of a transcript: the least number of word edits that turn the reference into it, divided by the reference's length. Both
 * are compared in lower case, without punctuation and with English contractions spelled out. Equal to the Python package jiwer's, also with
 * an empty reference: 0 for an empty hypothesis, else the number of inserted words.
 */
export function wordErrors(reference: string, hypothesis: string): WordErrors {
  const referenceWords = normalizedWords(reference);
  const alignment = align(referenceWords, normalizedWords(hypothesis));
  const count = (kind: AlignedWord['kind']) => alignment.filter((step) => step.kind === kind).length;
  const [hits, substitutions, deletions, insertions] = [
    count('hit'),
    count('substitution'),
    count('deletion'),
    count('insertion'),
  ];
  const wer = (substitutions + deletions + insertions) / Math.max(1, referenceWords.length);
  return { wer, hits, substitutions, deletions, insertions, alignment };
}

/**
 * Character error rate of a transcript: the least number of edits that turn the reference's characters into its own, divided by their
 * count. Characters (Unicode code points) are those of {@link normalizedWords} with one space between words. Equal to the Python package
 * jiwer's. More than 1 is possible; with an empty reference it is 0 for an empty hypothesis and else the number of its characters.
 */
export function characterErrorRate(reference: string, hypothesis: string): number {
  const [spoken, heard] = [reference, hypothesis].map((text) =>
    Uint32Array.from([...normalizedWords(text).join(' ')], (character) => character.codePointAt(0)!),
  );
  return editDistance(spoken, heard) / Math.max(1, spoken.length);
}

/** White space as Python's str.strip and its regular expressions see it. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

/** In this order; lower case comes after, so that "Won't" becomes "wo not", as jiwer has it. */
const CONTRACTIONS: readonly [RegExp, string][] = [
  [/won't/g, 'will not'],
  [/can't/g, 'can not'],
  [/let's/g, 'let us'],
  [/n't/g, ' not'],
  [/'re/g, ' are'],
  [/'s/g, ' is'],
  [/'d/g, ' would'],
  [/'ll/g, ' will'],
  [/'t/g, ' not'],
  [/'ve/g, ' have'],
  [/'m/g, ' am'],
];

/**
 * The words that count for a word error rate. The rules are those of jiwer's transforms ExpandCommonEnglishContractions, ToLowerCase,
 * RemoveMultipleSpaces, Strip and RemovePunctuation, one after the other. A typographic apostrophe is punctuation: "it’s" is "its", not "it is".
 */
export function normalizedWords(text: string): string[] {
  return CONTRACTIONS.reduce((expanded, [contraction, words]) => expanded.replace(contraction, words), text)
    .toLowerCase()
    .replace(new RegExp(`${SPACE}{2,}`, 'g'), ' ')
    .replace(new RegExp(`^${SPACE}+|${SPACE}+$`, 'g'), '')
    .replace(/\p{P}/gu, '')
    .split(' ')
    .filter((word) => word !== '');
}

/** Three lines that show an alignment: the reference, the hypothesis, and S, D or I under each error. */
export function formatAlignment(alignment: readonly AlignedWord[]): string {
  const lines = { REF: '', HYP: '', '': '' };
  for (const { kind, reference = '***', hypothesis = '***' } of alignment) {
    const width = Math.max(reference.length, hypothesis.length);
    lines.REF += ` ${reference.padEnd(width)}`;
    lines.HYP += ` ${hypothesis.padEnd(width)}`;
    lines[''] += ` ${(kind === 'hit' ? '' : kind[0].toUpperCase()).padEnd(width)}`;
  }
  return `REF:${lines.REF}\nHYP:${lines.HYP}\n    ${lines['']}`.replace(/ +$/gm, '');
}

/**
 * A shortest edit path (Levenshtein distance, by dynamic programming). Among equally short ones it takes the one jiwer shows: equal
 * words at both ends are hits; from the end backwards a deletion goes before an insertion, and that before a substitution.
 */
function align(reference: readonly string[], hypothesis: readonly string[]): AlignedWord[] {
  const hit = (word: string): AlignedWord => ({ kind: 'hit', reference: word, hypothesis: word });
  const shorter = Math.min(reference.length, hypothesis.length);
  let start = 0;
  while (start < shorter && reference[start] === hypothesis[start]) start++;
  let end = 0;
  while (end < shorter - start && reference.at(-1 - end) === hypothesis.at(-1 - end)) end++;
  const middle = (words: readonly string[]) => words.slice(start, words.length - end);
  return [
    ...reference.slice(0, start).map(hit),
    ...alignMiddle(middle(reference), middle(hypothesis)),
    ...reference.slice(reference.length - end).map(hit),
  ];
}

function alignMiddle(reference: readonly string[], hypothesis: readonly string[]): AlignedWord[] {
  const columns = hypothesis.length + 1;
  const cost = new Uint32Array((reference.length + 1) * columns);
  const costAt = (i: number, j: number) => cost[i * columns + j];
  for (let i = 0; i <= reference.length; i++) {
    for (let j = 0; j < columns; j++) {
      if (i === 0 || j === 0) cost[i * columns + j] = i + j;
      else {
        const replaced = costAt(i - 1, j - 1) + Number(reference[i - 1] !== hypothesis[j - 1]);
        cost[i * columns + j] = Math.min(replaced, costAt(i - 1, j) + 1, costAt(i, j - 1) + 1);
      }
    }
  }
  const path: AlignedWord[] = [];
  let [i, j] = [reference.length, hypothesis.length];
  while (i > 0 || j > 0) {
    if (i > 0 && costAt(i, j) === costAt(i - 1, j) + 1)
      path.push({ kind: 'deletion', reference: reference[--i] });
    else if (i === 0 || costAt(i, j - 1) === costAt(i - 1, j - 1) - 1)
      path.push({ kind: 'insertion', hypothesis: hypothesis[--j] });
    else {
      const [word, other] = [reference[--i], hypothesis[--j]];
      path.push({ kind: word === other ? 'hit' : 'substitution', reference: word, hypothesis: other });
    }
  }
  return path.reverse();
}

/** The Levenshtein distance alone, in memory of one row: a long recording has tens of thousands of characters. */
function editDistance(reference: Uint32Array, hypothesis: Uint32Array): number {
  const row = Uint32Array.from({ length: hypothesis.length + 1 }, (_, j) => j);
  for (let i = 0; i < reference.length; i++) {
    let diagonal = row[0];
    row[0] = i + 1;
    for (let j = 1; j < row.length; j++) {
      const replaced = diagonal + Number(reference[i] !== hypothesis[j - 1]);
      diagonal = row[j];
      row[j] = Math.min(replaced, row[j] + 1, row[j - 1] + 1);
    }
  }
  return row[hypothesis.length];
}
