/** Names and reasons that come from other machines are not to begin lines of their own, nor to give a terminal commands. */
export function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Surrogate}\u2028\u2029]/gu, '\ufffd');
}
