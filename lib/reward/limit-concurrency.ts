/** Lets at most `count` pieces of work run at a time; the others wait in the order they came. */
export function limitConcurrency(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < count) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes to the next.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
