/** How a trainer watches its queue: when it looks, whether the server is away, and when a person is told. It reads no clock and asks nobody. */
import type { Timing } from './timing.js';

/** So many looks without an answer, and the server is said to be away. */
const SILENT_LOOKS = 10;

export interface Watch {
  /** Whether to look now: one look at a time, in between too where the queue is short of items. */
  isDue(nowMs: number, isShort: boolean): boolean;
  /**
   * A look begins.
   *
   * @param came results that have come so far
   * @returns whether none has come since the look before
   */
  begin(nowMs: number, came: number): boolean;
  /** The look that is under way was answered. */
  answered(nowMs: number): void;
  /** The look has ended, answered or not. */
  ended(): void;
  /** Whether the server answers, has been away for some looks, or for too long. */
  server(nowMs: number): 'answers' | 'away' | 'lost';
  /** Whether to tell how all stands, which counts as told: an answer that is new, or that there is none, twice a look at most. */
  tells(nowMs: number): boolean;
}

/** @param startMs the server is taken to have answered then */
export function createWatch(
  { lookMs, silenceMs }: Pick<Timing, 'lookMs' | 'silenceMs'>,
  startMs: number,
): Watch {
  let isLooking = false;
  let lookedMs = -Infinity;
  let cameBefore = -1;
  let answeredMs = startMs;
  let hasAnswered = false;
  let toldMs = -Infinity;

  function server(nowMs: number): 'answers' | 'away' | 'lost' {
    const silentMs = nowMs - answeredMs;
    if (silentMs > silenceMs) return 'lost';
    return silentMs > SILENT_LOOKS * lookMs ? 'away' : 'answers';
  }

  return {
    isDue: (nowMs, isShort) => !isLooking && (nowMs - lookedMs >= lookMs || isShort),
    begin(nowMs, came) {
      const isQuiet = came === cameBefore;
      isLooking = true;
      lookedMs = nowMs;
      cameBefore = came;
      return isQuiet;
    },
    answered(nowMs) {
      hasAnswered = true;
      answeredMs = nowMs;
    },
    ended() {
      isLooking = false;
    },
    server,
    tells(nowMs) {
      const isNew = hasAnswered && toldMs < answeredMs;
      if (!(isNew || server(nowMs) !== 'answers') || nowMs - toldMs < lookMs / 2) return false;
      toldMs = nowMs;
      return true;
    },
  };
}
