import { describe, expect, it } from 'vitest';
import { createBatch, ITEM_TRIES, LOST_TRIES, type Batch } from '../../lib/farm/batch.js';

const items = ['a', 'b', 'c', 'd'].map((id) => ({ id, title: `samples of ${id}`, data: { id } }));
const answer = (result: string, seconds = 2, worker = 'w1') => ({ worker, seconds, result });

function open(nowMs: () => number = () => 0): Batch {
  const batch = createBatch(items, false, nowMs);
  batch.take(items.length);
  return batch;
}

describe('a batch', () => {
  it('gives items out in order, and once', () => {
    const batch = createBatch(items);
    expect(batch.take(3).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(batch.left).toBe(1);
    expect(batch.take(3).map(({ id }) => id)).toEqual(['d']);
    expect(batch.take(3)).toEqual([]);
    expect([...batch.out.keys()]).toEqual(['a', 'b', 'c', 'd']);
  });

  it('takes each result once, in any order, and others’ results not at all', () => {
    const batch = open();
    batch.cameBack('c', answer('[3]'));
    batch.cameBack('a', answer('[1]'));
    batch.cameBack('c', answer('[3]'));
    batch.cameBack('a', answer('[other]'));
    batch.cameBack('x', answer('[9]'));
    expect(batch.arrivals().map(({ index, envelope }) => [index, envelope.result])).toEqual([
      [2, '[3]'],
      [0, '[1]'],
    ]);
    expect(batch.arrivals()).toEqual([]);
    expect([...batch.out.keys()]).toEqual(['b', 'd']);
    expect(batch.failure).toBeUndefined();
  });

  it('stops at what is no answer', () => {
    const batch = open();
    batch.cameBack('a', { worker: 'w1', result: {} });
    expect(batch.failure?.message).toMatch(/item a with what is no answer/);
  });

  it('stops at an item that failed for good, by its title', () => {
    const batch = open();
    batch.failed('b', 'the reward fails: no');
    expect(batch.failure?.message).toBe(
      `samples of b failed ${ITEM_TRIES} times on workers, the last time: the reward fails: no; the run stops and can be resumed`,
    );
    batch.failed('a', 'later');
    expect(batch.failure?.message, 'the first one').toMatch(/^samples of b/);
    const scored = open();
    scored.failed('b', 'the run stops at sample 1 of train prompt 0, "Faster": the reward fails: no');
    expect(scored.failure?.message, 'it stops once').toBe(
      `samples of b failed ${ITEM_TRIES} times on workers, the last time: at sample 1 of train prompt 0, "Faster": the reward fails: no; the run stops and can be resumed`,
    );
    const stalled = open();
    stalled.failed('b', 'the reward stalled');
    expect(stalled.failure?.message).toMatch(/failed 3 times on workers, the last time: the reward stalled/);
    const lost = open();
    lost.failed('b', 'job stalled more than allowable limit');
    expect(lost.failure?.message).toMatch(`were lost ${LOST_TRIES} times with the workers that had them`);
    const late = open();
    late.cameBack('b', answer('[]'));
    late.failed('b', 'too late');
    expect(late.failure).toBeUndefined();
  });
});

describe('stragglers', () => {
  it('are those that take three times as long as is usual, and five seconds at least', () => {
    let ms = 0;
    const batch = open(() => ms);
    for (const id of ['a', 'b', 'c', 'd']) batch.started(id);
    ms = 100_000;
    expect(batch.stragglers(), 'nothing is usual yet').toEqual([]);
    batch.cameBack('a', answer('[1]', 4));
    batch.started('d');
    ms = 111_900;
    expect(batch.stragglers().map(({ job, item }) => [job, item.id])).toEqual([
      ['b-again-1', 'b'],
      ['c-again-1', 'c'],
    ]);
    expect(batch.stragglers(), 'once, until somebody took them').toEqual([]);
    ms = 112_000;
    expect(batch.stragglers().map(({ job }) => job)).toEqual(['d-again-1']);
    batch.started('b-again-1');
    ms = 130_000;
    expect(batch.stragglers().map(({ job }) => job)).toEqual(['b-again-2']);
  });

  it('are measured by the median of what others took', () => {
    let ms = 0;
    const batch = open(() => ms);
    batch.started('d');
    for (const [id, seconds] of [
      ['a', 1],
      ['b', 8],
      ['c', 100],
    ] as const)
      batch.cameBack(id, answer('[]', seconds));
    ms = 23_900;
    expect(batch.stragglers()).toEqual([]);
    ms = 24_000;
    expect(batch.stragglers()).toHaveLength(1);
  });

  it('come back once, from whoever is first; the other names are of no use any more', () => {
    let ms = 0;
    const batch = open(() => ms);
    batch.started('b');
    batch.cameBack('a', answer('[1]'));
    ms = 60_000;
    batch.stragglers();
    expect(batch.cameBack('b-again-1', answer('[2]'))).toEqual(['b']);
    expect(batch.cameBack('b', answer('[2]', 60, 'w2'))).toEqual([]);
    expect(batch.arrivals()).toHaveLength(2);
    expect(batch.failure).toBeUndefined();
  });

  const differ = (mayDiffer: boolean, worker: string): Batch => {
    let ms = 0;
    const batch = createBatch(items, mayDiffer, () => ms);
    batch.take(items.length);
    batch.started('b');
    batch.cameBack('a', answer('[1]'));
    ms = 60_000;
    batch.stragglers();
    batch.cameBack('b', answer('[2]'));
    batch.cameBack('b-again-1', answer('[2.0000001]', 2, worker));
    return batch;
  };

  it.each(['w1', 'w2'])('must come back the same, also from %s', (worker) => {
    expect(differ(false, worker).failure?.message).toMatch(
      new RegExp(`^the workers w1 and ${worker} gave different results for the same samples`),
    );
  });

  it('may come back otherwise where workers may differ; the first result counts', () => {
    const batch = differ(true, 'w2');
    expect(batch.failure).toBeUndefined();
    expect(batch.arrivals().map(({ envelope }) => envelope.result)).toEqual(['[1]', '[2]']);
  });
});
