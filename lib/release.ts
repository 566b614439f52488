/** Whatever is opened is released: also where opening the next thing fails, and where releasing another one does. */

export type Release = () => unknown;

/**
 * Releases everything, what was opened last first, each after the one before.
 *
 * @throws what the first failing release threw, after all others have run
 */
export async function releaseAll(releases: readonly Release[]): Promise<void> {
  const failures: unknown[] = [];
  for (const release of releases.toReversed()) {
    try {
      await release();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Opens something that has several parts.
 *
 * @param open adds each part's release to `opened` as soon as it is open; where it throws, these run
 */
export async function openParts<T>(open: (opened: Release[]) => Promise<T>): Promise<T> {
  const opened: Release[] = [];
  try {
    return await open(opened);
  } catch (error) {
    await releaseAll(opened).catch(() => undefined);
    throw error;
  }
}

/**
 * Waits for parts that are opened at once. Where one fails, the others are released.
 *
 * @throws what the first of them that failed threw
 */
export async function openAtOnce<T>(
  opening: readonly (T | Promise<T>)[],
  release: (part: T) => unknown,
): Promise<T[]> {
  return openParts(async (opened) => {
    const results = await Promise.allSettled(opening);
    for (const result of results) if (result.status === 'fulfilled') opened.push(() => release(result.value));
    return Promise.all(opening);
  });
}
