/**
 * Whether an error is of the class Error itself. By that this project tells a person what is wrong with what they gave or lack, in a
 * sentence; an error of any other class is a fault of a program.
 */
export function isPlainError(error: unknown): error is Error {
  return error instanceof Error && error.constructor === Error;
}

/**
 * The sentence of a plain Error, for who goes on without what it tells of.
 *
 * @throws whatever else was thrown, since going on would hide it
 */
export function sentenceOf(error: unknown): string {
  if (isPlainError(error)) return error.message;
  throw error;
}
