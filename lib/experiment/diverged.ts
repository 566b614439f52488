const DIVERGED = 'DIVERGED';

/**
 * Why a run ended that comes to the same end when it goes on: its training has numbers that are not finite, or the policy that it trained
 * writes nothing that can be scored.
 */
export function divergence(message: string): Error {
  return Object.assign(new Error(message), { code: DIVERGED });
}

export function isDivergence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === DIVERGED;
}
