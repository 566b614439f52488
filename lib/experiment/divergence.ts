const DIVERGED = 'DIVERGED';

/** Why a training ended whose numbers are not finite. A run that goes on comes to the same end. */
export function divergence(message: string): Error {
  return Object.assign(new Error(message), { code: DIVERGED });
}

export function isDivergence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === DIVERGED;
}
