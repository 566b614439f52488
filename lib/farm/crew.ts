/** The benches of a worker at a run's items. */
import type { Bench } from './bench.js';

export interface Crew {
  /** Does an item on a bench that is free, of which there has to be one. */
  do(...item: Parameters<Bench['do']>): ReturnType<Bench['do']>;
  isBusy(): boolean;
  /** For how long no bench has had an item; 0 while one has. */
  idleMs(): number;
}

/** @param tell is told when a bench begins, and when none has an item any more */
export function createCrew(benches: readonly Bench[], tell: (state: 'working' | 'idle') => void): Crew {
  const free = [...benches];
  let lastMs = performance.now();
  const isBusy = () => free.length < benches.length;
  return {
    async do(id, data) {
      const bench = free.pop()!;
      tell('working');
      try {
        return await bench.do(id, data);
      } finally {
        free.push(bench);
        lastMs = performance.now();
        if (!isBusy()) tell('idle');
      }
    },
    isBusy,
    idleMs: () => (isBusy() ? 0 : performance.now() - lastMs),
  };
}
