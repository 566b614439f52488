/** The table of `npm run bench`: what it shows of each side, and of sides that are processes of their own. */
import { describe, expect, it } from 'vitest';
import { fight, type Duel } from '../../bench/duel.js';
import { openProgram } from '../../bench/peer.js';

const MEGABYTES = 96;
/** Holds so much memory for one call, lets it go, and says each call took 2 s: memory is asked for after the last. */
const HOLDS = `
  console.log('{"example": "1.0"}');
  require('readline').createInterface({ input: process.stdin }).on('line', () => {
    Buffer.alloc(${MEGABYTES}e6, 1);
    console.log('{"seconds": 2}');
  });`;
const openHolder = () => openProgram(process.execPath, ['-e', HOLDS], 'holder');

const duel = (changes: Partial<Duel> = {}): Duel => ({
  name: 'a row',
  runs: 3,
  warmUp: 0,
  ours: () => () => Promise.resolve(),
  format: (seconds) => `${seconds.toFixed(0)} s`,
  ...changes,
});
const cellsOf = (table: string) => table.split('\n').map((line) => line.split(' | ').length);

describe('the table', () => {
  it("shows speech-dpo's side alone where there is no Python", async () => {
    const table = await fight([duel()], undefined);
    expect(table.split('\n').slice(0, 3)).toEqual([
      '| median (fastest to slowest) | speech-dpo |',
      '| --- | --- |',
      '| a row | 0 s (0 s to 0 s) |',
    ]);
  });

  it('has a cell for each column in rows with and without a peer', async () => {
    const rows = [duel({ peerName: 'the peer', openPeer: openHolder }), duel({ name: 'alone' })];
    const table = await fight(rows, 'python', { openOurs: openHolder });
    expect(cellsOf(table).slice(0, 4)).toEqual([6, 6, 6, 6]);
    expect(table).toContain('peak memory, speech-dpo | peak memory, peer |');
    expect(table).toContain('the peer: 2 s (2 s to 2 s) | 1.00 |');
    expect(table).toContain('example 1.0');
  });
});

describe('a side in a process of its own', () => {
  it.runIf(process.platform === 'linux')('tells the most memory that it held', async () => {
    const side = await openHolder();
    const before = (await side.peakBytes())!;
    expect(await side.time()).toBe(2);
    const after = (await side.peakBytes())!;
    await side.close();
    expect(after - before).toBeGreaterThan(0.9 * MEGABYTES * 1e6);
    expect(after - before).toBeLessThan(2 * MEGABYTES * 1e6);
  });

  it('says what it wrote where it ends before it answers', async () => {
    const side = openProgram(process.execPath, ['-e', "console.error('no weights'); process.exit(1)"], 'x');
    await expect(side).rejects.toThrow(/x ended:\nno weights/);
  });
});
