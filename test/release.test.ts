import { describe, expect, it } from 'vitest';
import { openAtOnce, openParts, releaseAll } from '../lib/release.js';
import { remember } from '../lib/remember.js';
import { createTurns } from '../lib/turns.js';

const thrower = (message: string) => () => Promise.reject(new Error(message));

describe('releaseAll', () => {
  it('releases what was opened last first, each after the one before', async () => {
    const released: number[] = [];
    const release = (number: number) => async () => {
      await new Promise((resolve) => setTimeout(resolve, 10 - number));
      released.push(number);
    };
    await releaseAll([release(1), release(5), release(9)]);
    expect(released).toEqual([9, 5, 1]);
  });

  it('goes on after a release that throws, and throws what the first of them threw', async () => {
    const released: string[] = [];
    const all = [() => released.push('a'), thrower('b'), () => released.push('c'), thrower('d')];
    await expect(releaseAll(all)).rejects.toThrow('d');
    expect(released).toEqual(['c', 'a']);
  });
});

describe('openParts', () => {
  it('leaves open what was opened', async () => {
    const released: string[] = [];
    const parts = await openParts(async (opened) => {
      opened.push(() => released.push('a'));
      return opened;
    });
    expect(released).toEqual([]);
    await releaseAll(parts);
    expect(released).toEqual(['a']);
  });

  it('releases what was open when opening failed, and throws why it did', async () => {
    const released: string[] = [];
    const opening = openParts(async (opened) => {
      opened.push(() => released.push('a'), thrower('not released'));
      throw new Error('no b');
    });
    await expect(opening).rejects.toThrow('no b');
    expect(released).toEqual(['a']);
  });
});

describe('openAtOnce', () => {
  it('releases the parts that were opened, also later ones, when one fails', async () => {
    const released: string[] = [];
    const late = new Promise<string>((resolve) => setTimeout(resolve, 20, 'late'));
    const opening = openAtOnce([Promise.resolve('a'), thrower('no b')(), late], (part) =>
      released.push(part),
    );
    await expect(opening).rejects.toThrow('no b');
    expect(released).toEqual(['late', 'a']);
    expect(await openAtOnce([Promise.resolve(1), Promise.resolve(2)], thrower('not called'))).toEqual([1, 2]);
  });
});

describe('remember', () => {
  it('makes once for each key, and again after a failure', async () => {
    const known = new Map<string, Promise<number>>();
    let calls = 0;
    const make = async () => {
      calls += 1;
      await Promise.resolve();
      if (calls === 1) throw new Error('not yet');
      return calls;
    };
    const both = [remember(known, 'a', make), remember(known, 'a', make)];
    for (const each of both) await expect(each).rejects.toThrow('not yet');
    expect(await remember(known, 'a', make)).toBe(2);
    expect(await remember(known, 'a', make)).toBe(2);
    expect(await remember(known, 'b', make)).toBe(3);
  });
});

describe('turns', () => {
  it('come one after the other, also after one that fails', async () => {
    const inTurn = createTurns();
    const told: string[] = [];
    const work = (name: string, fails: boolean) => async () => {
      told.push(`${name} begins`);
      await Promise.resolve();
      told.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
    const [first, second, third] = [work('a', false), work('b', true), () => 'c'].map((each) => inTurn(each));
    await expect(second).rejects.toThrow('b');
    expect([await first, await third]).toEqual(['a', 'c']);
    expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });
});
