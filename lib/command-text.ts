/** A command line of this program that a person can paste into a shell: `npx speech-dpo report "output/my run"`. */
export function commandText(...words: readonly string[]): string {
  return ['npx', 'speech-dpo', ...words].map(quoteForShell).join(' ');
}

/** A word as a shell takes it: as it is, in double quotes, or in single ones where a shell reads more than the text in double ones. */
export function quoteForShell(word: string): string {
  if (/^[\w./:=,@%+~-]+$/.test(word)) return word;
  return /["$`\\!]/.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : `"${word}"`;
}
