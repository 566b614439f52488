import { expect, it } from 'vitest';
import type { RunEvent } from '../../lib/run/events.js';
import { createWorkClock } from '../../lib/run/work-clock.js';

it('stands still while an event is read, and goes on when the next one is asked for', async () => {
  let ms = 500;
  const clock = createWorkClock(() => ms);
  const notice: RunEvent = { type: 'notice', message: 'a' };
  const seen: number[] = [];
  async function* work(): AsyncGenerator<RunEvent> {
    for (let i = 0; i < 3; i++) {
      ms += 1000;
      seen.push(clock.seconds());
      yield notice;
    }
    seen.push(clock.seconds());
  }
  const read: RunEvent[] = [];
  for await (const event of clock.whileRead(work())) {
    read.push(event);
    ms += 60_000;
  }
  expect(read).toEqual([notice, notice, notice]);
  expect(seen).toEqual([1.5, 2.5, 3.5, 3.5]);
});

it('ends the work when its reader leaves', async () => {
  let ended = false;
  async function* work(): AsyncGenerator<RunEvent> {
    try {
      yield { type: 'notice', message: 'a' };
    } finally {
      ended = true;
    }
  }
  for await (const _ of createWorkClock().whileRead(work())) break;
  expect(ended).toBe(true);
});
