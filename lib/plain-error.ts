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

/**
 * What went wrong first. Where releasing what was open fails after it, `await using` throws a SuppressedError that tells of neither; before
 * Node.js 24 that is a plain Error of this name.
 */
export function firstError(error: unknown): unknown {
  const isAfterAnother = error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error;
  return isAfterAnother ? firstError(error.suppressed) : error;
}

/** `job`, which throws what went wrong first in it (`firstError`). */
export function tellingFirst<Args extends unknown[], Result>(
  job: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    try {
      return await job(...args);
    } catch (error) {
      throw firstError(error);
    }
  };
}

/** The same of a job that yields events. */
export function yieldingFirst<Args extends unknown[], Event, Result>(
  job: (...args: Args) => AsyncGenerator<Event, Result>,
): (...args: Args) => AsyncGenerator<Event, Result> {
  return async function* (...args) {
    try {
      return yield* job(...args);
    } catch (error) {
      throw firstError(error);
    }
  };
}
