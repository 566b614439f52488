/** The runs that a worker takes no part in, and why. */
import type { OnNotice } from '../notice.js';
import type { PresentRun, WorkerRecord } from './presence.js';

export interface Refusals {
  /** Takes no part in a run, and does not try it for so long. A person is told of each reason once. */
  refuse(run: PresentRun, reason: string, forMs: number): void;
  has(id: string): boolean;
  /** Whether a run may be tried: it is not refused, or was for as long as was said. */
  mayTry(id: string): boolean;
  lift(id: string): void;
  /** Forgets those of other runs. */
  keepOf(runs: readonly PresentRun[]): void;
  /** Those of these runs, as the directory has them. */
  of(runs: readonly PresentRun[]): WorkerRecord['refusals'];
}

export function createRefusals(onNotice?: OnNotice): Refusals {
  const refused = new Map<string, { reason: string; untilMs: number }>();
  return {
    refuse(run, reason, forMs) {
      if (refused.get(run.id)?.reason !== reason) onNotice?.(`takes no part in ${run.title}: ${reason}`);
      refused.set(run.id, { reason, untilMs: performance.now() + forMs });
    },
    has: (id) => refused.has(id),
    mayTry: (id) => (refused.get(id)?.untilMs ?? 0) < performance.now(),
    lift: (id) => void refused.delete(id),
    keepOf(runs) {
      for (const id of refused.keys()) if (!runs.some((run) => run.id === id)) refused.delete(id);
    },
    of: (runs) =>
      runs.flatMap(({ id, title }) => {
        const reason = refused.get(id)?.reason;
        return reason === undefined ? [] : [{ run: id, title, reason }];
      }),
  };
}
