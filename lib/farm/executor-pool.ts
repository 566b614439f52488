/** The executors of a worker at a run's items. */
import type { Executor } from './executor.js';

export interface ExecutorPool {
  /** Does an item on an executor that is free, of which there has to be one. */
  do(...item: Parameters<Executor['do']>): ReturnType<Executor['do']>;
  isBusy(): boolean;
  /** For how long no executor has had an item; 0 while one has. */
  idleMs(): number;
}

/** @param tell is told when an executor begins, and when none has an item any more */
export function createExecutorPool(
  executors: readonly Executor[],
  tell: (state: 'working' | 'idle') => void,
): ExecutorPool {
  const free = [...executors];
  let lastMs = performance.now();
  const isBusy = () => free.length < executors.length;
  return {
    async do(id, data) {
      const executor = free.pop()!;
      tell('working');
      try {
        return await executor.do(id, data);
      } finally {
        free.push(executor);
        lastMs = performance.now();
        if (!isBusy()) tell('idle');
      }
    },
    isBusy,
    idleMs: () => (isBusy() ? 0 : performance.now() - lastMs),
  };
}
