import { describe, expect, it } from 'vitest';
import type { FleetStatus, WorkerStatus } from '../../lib/run/events.js';
import { createFleetNews, fleetLine, fleetTable, fleetTrouble } from '../../lib/view/fleet.js';

const worker = (name: string, given: Partial<WorkerStatus> = {}): WorkerStatus => ({
  ...{ name, device: 'the CPU, 2 threads', state: 'working', items: 4, seconds: 8 },
  ...given,
});
const status = (workers: WorkerStatus[], given: Partial<FleetStatus> = {}): FleetStatus => ({
  ...{ workers, waiting: 41, running: 3, failed: 0, done: 12, total: 56, ...given },
});
const many = (count: number) => Array.from({ length: count }, (_, i) => worker(`node-${i}`));

describe('the line of a fleet', () => {
  it('counts those that take part, and tells rate and time left', () => {
    const workers = [worker('a'), worker('b', { state: 'idle' }), worker('c', { state: 'preparing' })];
    const others = [worker('d', { state: 'gone' }), worker('e', { state: 'refuses', refusal: 'no' })];
    expect(fleetLine(status([...workers, ...others], { remainingSeconds: 38 }))).toBe(
      '3 workers: 41 items waiting, 3 running, 12 of 56 done, 1.2 items/s, 38 s left',
    );
  });

  it('has no rate before there is one, none of what is done, and tells of tries that failed', () => {
    expect(fleetLine(status([worker('a')], { failed: 1 }))).toBe(
      '1 worker: 41 items waiting, 3 running, 1 try failed, 12 of 56 done',
    );
    expect(fleetLine(status([], { ...{ waiting: 0, running: 0, failed: 2, done: 56 } }))).toBe(
      '0 workers: 0 items waiting, 0 running, 2 tries failed, 56 of 56 done',
    );
  });
});

it('is a table in which those that work come first', () => {
  const idle = worker('b', { state: 'idle', items: 0, seconds: 0 });
  expect(fleetTable(status([idle, worker('a', { items: 1200, seconds: 60 })])).rows).toEqual([
    ['a', 'the CPU, 2 threads', 'working', '1,200', '20'],
    ['b', 'the CPU, 2 threads', 'idle', '0', '-'],
  ]);
});

it('names each reason to refuse once, and keeps names on their line', () => {
  const refusing = ['a', 'b', 'c', 'd\nWARNING'].map((name) =>
    worker(name, { state: 'refuses', refusal: 'it computes on cuda' }),
  );
  expect(fleetTrouble(status(refusing, { trouble: 'no worker takes part' }))).toEqual([
    'no worker takes part',
    '4 workers take no part (a, b, c and 1 more): it computes on cuda',
  ]);
  expect(fleetTrouble(status(refusing.slice(3)))).toEqual([
    'worker d\ufffdWARNING takes no part: it computes on cuda',
  ]);
});

describe('news of a fleet', () => {
  /** What is told at which second, of a status every second. */
  const tell = (seconds: number, at: (second: number) => FleetStatus): [number, string][] => {
    const news = createFleetNews();
    return Array.from({ length: seconds }, (_, second) => second).flatMap((second) =>
      news(at(second), second).map((line): [number, string] => [second, line]),
    );
  };

  it('tell once who joins, leaves and refuses, and of trouble that begins and ends', () => {
    const [a, b] = [worker('a'), worker('b', { state: 'refuses', refusal: 'it is of version 0.2.0' })];
    const told = tell(300, (second) => {
      if (second < 100) return status([a]);
      if (second < 200) return status([worker('a', { state: 'gone' }), b], { trouble: 'no worker' });
      return status([a, b]);
    });
    expect(told).toEqual([
      [3, 'worker a takes part, on the CPU, 2 threads'],
      [103, 'worker a is gone after 4 items'],
      [103, 'worker b takes no part: it is of version 0.2.0'],
      [103, 'no worker'],
      [203, 'worker a takes part, on the CPU, 2 threads'],
      [203, 'work goes on with 1 worker'],
    ]);
  });

  it('are a few lines where 200 workers join within a minute', () => {
    const told = tell(300, (second) => status(many(Math.min(200, 4 * second))));
    expect(told.length).toBeLessThanOrEqual(6);
    expect(told[1]![1]).toMatch(/^\d+ workers take part: node-\d+, node-\d+, node-\d+ and \d+ more$/);
    const counts = told.map(([, line]) => Number(/^(\d+) workers/.exec(line)![1]));
    expect(counts.reduce((sum, count) => sum + count)).toBe(200);
  });

  it('are nothing where a worker is away for a moment', () => {
    const away = worker('a', { state: 'gone' });
    expect(tell(60, (second) => status([second % 20 === 19 ? away : worker('a')]))).toHaveLength(1);
  });
});
