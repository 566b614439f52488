import { expect, it } from 'vitest';
import { prepareCell } from '../../../lib/notebook/kernel/cell.js';

const prepare = (cell: string) => prepareCell(cell, '/project', '/project/notebooks');

it.each([
  ["import { a } from '../lib';", 'import { a } from "./dist/lib/index.js";'],
  ["import { a } from 'speech-dpo';", 'import { a } from "./dist/lib/index.js";'],
  ["import { a } from '../lib/reward/length.js';", 'import { a } from "./dist/lib/reward/length.js";'],
  ["import { a } from '../lib/reward/length';", 'import { a } from "./dist/lib/reward/length.js";'],
  ["import { a } from './mine';", 'import { a } from "./notebooks/mine";'],
  ["const x = await import('../bench/x');", 'const x = await import("./bench/x");'],
  ["import fs from 'node:fs';", "import fs from 'node:fs';"],
])('leads %s to where tslab finds it', (cell, source) => {
  expect(prepare(cell).source).toBe(source);
});

it('writes shorthand out, also in assignments', () => {
  expect(prepare('const o = { a, b: 1 };').source).toBe('const o = { a: a, b: 1 };');
  expect(prepare('({ a, b = 2 } = o);').source).toBe('({ a: a, b: b = 2 } = o);');
});

it.each([
  ['await run();', true],
  ['await (run());', true],
  ['for await (const x of y) use(x);', true],
  ['await using file = open();', true],
  ['const f = async () => { await run(); };', false],
  ['run();', false],
])('knows whether %s waits', (cell, waits) => {
  expect(prepare(cell).hasTopLevelAwait).toBe(waits);
});

it('finds places in the cell again', () => {
  const cell = "import { a } from '../lib'; const o = { a }; wrong;";
  const prepared = prepare(cell);
  const inPrepared = prepared.source.indexOf('wrong');
  expect(prepared.toCell(inPrepared)).toBe(cell.indexOf('wrong'));
  expect(prepared.toPrepared(cell.indexOf('wrong'))).toBe(inPrepared);
  expect(prepared.toCell(prepared.source.indexOf('import'))).toBe(0);
});
