import { describe, expect, it } from 'vitest';
import { createWatch } from '../../lib/farm/watch.js';

const open = () => createWatch({ lookMs: 1000, silenceMs: 60_000 }, 0);

describe('the watch of a queue', () => {
  it('looks at once, then every second, and in between where items are short', () => {
    const watch = open();
    expect(watch.isDue(0, false)).toBe(true);
    watch.begin(0, 0);
    expect(watch.isDue(5000, true), 'one look at a time').toBe(false);
    watch.ended();
    expect(watch.isDue(999, false)).toBe(false);
    expect(watch.isDue(999, true)).toBe(true);
    expect(watch.isDue(1000, false)).toBe(true);
  });

  it('knows whether a result came since the look before', () => {
    const watch = open();
    expect(watch.begin(0, 0), 'the first look').toBe(false);
    expect(watch.begin(1000, 0)).toBe(true);
    expect(watch.begin(2000, 3)).toBe(false);
    expect(watch.begin(3000, 3)).toBe(true);
  });

  it('says that the server is away after ten looks, and lost after the longest silence', () => {
    const watch = open();
    expect(watch.server(10_000)).toBe('answers');
    expect(watch.server(10_001)).toBe('away');
    watch.answered(20_000);
    expect(watch.server(30_000)).toBe('answers');
    expect(watch.server(80_000)).toBe('away');
    expect(watch.server(80_001)).toBe('lost');
  });

  it('tells each answer once and a silence again and again, twice a look at most', () => {
    const watch = open();
    expect(watch.tells(0), 'nothing was answered').toBe(false);
    watch.answered(100);
    expect(watch.tells(200)).toBe(true);
    expect(watch.tells(2000), 'told').toBe(false);
    watch.answered(300);
    expect(watch.tells(699), 'too soon').toBe(false);
    expect(watch.tells(700)).toBe(true);
    expect(watch.tells(10_301)).toBe(true);
    expect(watch.tells(10_800)).toBe(false);
    expect(watch.tells(10_801)).toBe(true);
  });
});
