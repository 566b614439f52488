/** Starts the notebooks' kernel as Jupyter does and speaks Jupyter's protocol with it: no Python, no browser. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findPackageRoot } from '../../../lib/package-root.js';
import { startKernel, type Answer, type KernelClient } from '../../support/kernel.js';

let kernel: KernelClient;

beforeAll(async () => {
  kernel = await startKernel();
});

afterAll(async () => {
  await kernel?.close();
});

/** Runs a cell, and presses the stop button so many milliseconds after the kernel has begun with it. */
async function interruptAfter(ms: number, code: string): Promise<Answer> {
  const begun = kernel.begun();
  const running = kernel.execute(code);
  await begun;
  await new Promise((resolve) => setTimeout(resolve, ms));
  kernel.interrupt();
  return running;
}

/** What a stream received in all. */
const textOf = ({ published }: Answer, stream: 'stdout' | 'stderr') =>
  published
    .filter(({ type, content }) => type === 'stream' && content.name === stream)
    .map(({ content }) => content.text)
    .join('');

it('runs cells, which know what earlier ones declared', async () => {
  expect((await kernel.execute('const answer: number = 42;')).reply).toMatchObject({ status: 'ok' });
  const shown = await kernel.execute('console.log(answer); answer + 1');
  expect(shown.reply.status).toBe('ok');
  expect(textOf(shown, 'stdout')).toBe('42\n43\n');
});

it.each([
  ['const { first: one, ...rest } = numbers; console.log(one, rest.second);', '1 2\n'],
  ['let two = 0; ({ second: two } = numbers); console.log(two);', '2\n'],
  ['let second = 0; ({ second } = numbers); console.log(second);', '2\n'],
  ['for (const { inner: { third: three } } of [numbers]) console.log(three);', '3\n'],
])('runs %s of an earlier cell', async (cell, printed) => {
  await kernel.execute('const numbers = { first: 1, second: 2, inner: { third: 3 } };');
  const { reply, published } = await kernel.execute(cell);
  expect(reply).toMatchObject({ status: 'ok' });
  expect(textOf({ reply, published }, 'stdout')).toBe(printed);
});

it('tells a cell its number', async () => {
  const { reply, published } = await kernel.execute('1;');
  const input = published.find(({ type }) => type === 'execute_input');
  expect(reply.execution_count).toBeGreaterThan(0);
  expect(input?.content.execution_count).toBe(reply.execution_count);
});

it('100,000 lines in one turn of the event loop arrive in order', async () => {
  const answer = await kernel.execute('for (let i = 0; i < 100_000; i++) console.log(i);');
  expect(answer.reply.status).toBe('ok');
  expect(textOf(answer, 'stdout') === Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join('')).toBe(
    true,
  );
  // In few messages: Jupyter drops what comes in thousands a second.
  expect(answer.published.length).toBeLessThan(1000);
});

it('standard output and standard error interleave as they were written', async () => {
  const answer = await kernel.execute(
    'for (let i = 0; i < 2000; i++) { console.log(i); console.error(i); } console.log("end");',
  );
  const streams = answer.published.filter(({ type }) => type === 'stream').map(({ content }) => content);
  expect(answer.reply.status).toBe('ok');
  expect(streams.map(({ name, text }) => `${name} ${text}`).join('')).toBe(
    Array.from({ length: 2000 }, (_, i) => `stdout ${i}\nstderr ${i}\n`).join('') + 'stdout end\n',
  );
});

it('a burst of displays arrives, each in its place among the lines', async () => {
  const answer = await kernel.execute(`
    import { display } from 'tslab';
    for (let i = 0; i < 2000; i++) { console.log(i); display.html(String(i)); }`);
  expect(answer.reply.status).toBe('ok');
  const outputs = answer.published
    .filter(({ type }) => type === 'stream' || type === 'display_data')
    .map(({ type, content }) => `${type} ${type === 'stream' ? content.text : JSON.stringify(content.data)}`);
  expect(outputs).toEqual(
    Array.from({ length: 2000 }, (_, i) => [`stream ${i}\n`, `display_data {"text/html":"${i}"}`]).flat(),
  );
});

it('what a cell prints is published while it still computes', async () => {
  await kernel.execute("console.log('just before');");
  const { reply, published } = await kernel.execute(`
    console.log('first');
    console.log('second');
    for (const end = Date.now() + 300; Date.now() < end; );
    console.log('third');
    console.log('fourth');`);
  expect(reply.status).toBe('ok');
  const texts = published.filter(({ type }) => type === 'stream').map(({ content }) => content.text);
  expect(texts.join('')).toBe('first\nsecond\nthird\nfourth\n');
  expect(texts.at(0)).toBe('first\n');
  expect(texts.at(-1)).toBe('fourth\n');
});

it('a write tells its callback, and characters may be cut in two', async () => {
  const answer = await kernel.execute(`
    const bytes = Buffer.from('é');
    process.stdout.write(bytes.subarray(0, 1));
    await new Promise<void>((done) => process.stdout.write(bytes.subarray(1), () => done()));`);
  expect(answer.reply.status).toBe('ok');
  expect(textOf(answer, 'stdout')).toBe('é');
});

it('shows an error where the cell threw, and a complaint of the compiler', async () => {
  const { reply, published } = await kernel.execute('throw new RangeError("too much");');
  expect(reply).toMatchObject({ status: 'error', ename: 'RangeError', evalue: 'too much' });
  expect(published.find(({ type }) => type === 'error')?.content.ename).toBe('RangeError');
  const wrong = await kernel.execute('const n: number = "one";');
  expect(wrong.reply).toMatchObject({ status: 'error', ename: 'TypeScript' });
  expect(wrong.reply.evalue).toMatch(/^line 1, column 7: Type 'string' is not assignable/);
});

it("an error of the library begins with its sentence, and shows nothing of the kernel's own work", async () => {
  const wrong = "import { parseParameters } from '../lib';\nparseParameters({ iterations: 0 });";
  const { reply } = await kernel.execute(wrong);
  const traceback = (reply.traceback as string[]).join('\n');
  expect(traceback).toMatch(/^Error: wrong parameters: iterations: .*\n {4}at parseParameters /);
  expect(traceback).not.toContain('notebook/kernel');
  const asynchronous = await kernel.execute(`await 0;\n${wrong.split('\n')[1]}`);
  expect((asynchronous.reply.traceback as string[]).join('\n')).not.toContain('notebook/kernel');
});

it('an error whose name and message are no texts ends its cell', async () => {
  const { reply, published } = await kernel.execute(
    "throw Object.assign(new Error('x'), { name: undefined, message: 5n });",
  );
  expect(reply).toMatchObject({ status: 'error', ename: 'undefined', evalue: '5' });
  expect(published.map(({ type }) => type)).toContain('error');
});

it('cells that wait when one fails are aborted, those sent after its reply run', async () => {
  const [first, failed, ...waiting] = await Promise.all(
    ['await 0;', 'throw new Error("expected");', 'console.log("late");', '1;'].map((code) =>
      kernel.execute(code),
    ),
  );
  expect(first.reply.status).toBe('ok');
  expect(failed.reply.status).toBe('error');
  expect(waiting.map(({ reply }) => reply.status)).toEqual(['aborted', 'aborted']);
  const next = await kernel.execute('console.log("next");');
  expect(next.reply.status).toBe('ok');
  expect(textOf(next, 'stdout')).toBe('next\n');
});

it('cells that have arrived but were not read yet when one fails are aborted too', async () => {
  const busy = 'const end = Date.now() + 300; while (Date.now() < end); throw new Error("expected");';
  const failing = kernel.execute(busy);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const behind = kernel.execute('1;');
  expect((await failing).reply.status).toBe('error');
  expect((await behind).reply.status).toBe('aborted');
});

it('a cell that may fail aborts nothing', async () => {
  const [failed, next] = await Promise.all([
    kernel.execute('throw new Error("expected");', { stop_on_error: false }),
    kernel.execute('1;'),
  ]);
  expect([failed.reply.status, next.reply.status]).toEqual(['error', 'ok']);
});

it.each([
  ['waits', 'await new Promise(() => undefined);'],
  ['computes without end', 'for (;;);'],
  ['never lets go', 'for (;;) await null;'],
  ['never lets go after waiting', 'await new Promise((done) => setTimeout(done, 20)); for (;;) await null;'],
  ['computes without end after waiting', 'await new Promise((done) => setTimeout(done, 20)); for (;;);'],
  ['computes without end in a callback', 'await new Promise(() => setTimeout(() => { for (;;); }, 10));'],
  ['counts ticks', 'for (;;) await new Promise<void>((done) => process.nextTick(done));'],
  ['prints without end', 'for (let i = 0; ; i++) console.log(i);'],
  ['catches everything', 'for (;;) { try { for (;;) await null; } catch {} }'],
])('the stop button ends a cell that %s, and the kernel goes on with its variables', async (_, code) => {
  await kernel.execute('var kept = [1, 2];');
  const running = kernel.execute(`console.log('running');\n${code}`);
  const behind = kernel.execute('1;');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  kernel.interrupt();
  const stopped = await running;
  expect(stopped.reply).toMatchObject({ status: 'error', ename: 'Interrupted' });
  expect((await behind).reply.status).toBe('aborted');
  const next = await kernel.execute('await new Promise((done) => setTimeout(done, 5)); console.log(kept);');
  expect(next.reply.status).toBe('ok');
  expect(textOf(next, 'stdout')).toBe('[ 1, 2 ]\n');
});

it('the stop button ends a cell that counts ticks wherever it is cut off', async () => {
  // Where code is cut off is chance. STOP_PRESSES=200 tries many places.
  for (let press = 0; press < Number(process.env.STOP_PRESSES ?? 8); press++) {
    const code = 'for (;;) await new Promise<void>((done) => process.nextTick(done));';
    const { reply } = await interruptAfter(150 + 7 * press, code);
    expect(reply).toMatchObject({ status: 'error', ename: 'Interrupted' });
  }
});

it('the stop button lets the compiler finish', async () => {
  const { reply } = await interruptAfter(50, "import * as library from '../lib'; for (;;) await null;");
  expect(reply).toMatchObject({ status: 'error', ename: 'Interrupted' });
  const next = await kernel.execute("import { mean } from 'node:fs';");
  expect(next.reply).toMatchObject({ status: 'error', ename: 'TypeScript' });
});

it('cells run on when a file of the compiled library is written, as by a build', async () => {
  expect((await kernel.execute("import { show } from '../lib';")).reply.status).toBe('ok');
  const file = join(findPackageRoot(), 'dist', `written-${process.pid}`);
  try {
    writeFileSync(file, '');
    // The compiler hears of it some time later.
    for (let cell = 0; cell < 8; cell++) {
      expect((await kernel.execute(`${cell};`)).reply).toMatchObject({ status: 'ok' });
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  } finally {
    rmSync(file);
  }
});

it('completes and explains names', async () => {
  await kernel.execute('const spectrum = { loudness: 1 };');
  const code = 'spectrum.lou';
  const { reply } = await kernel.request('complete_request', { code, cursor_pos: code.length });
  expect(reply).toMatchObject({ status: 'ok', matches: ['loudness'] });
  const explained = await kernel.request('inspect_request', { code, cursor_pos: 3, detail_level: 0 });
  expect(JSON.stringify(explained.reply.data)).toContain('const spectrum');
});

it('offers the names of options where one is begun, and nothing of a browser', async () => {
  const setUp = "import { chooseParameters, openRun, parseParameters } from '../lib';\n";
  await kernel.execute(`${setUp}const { parameters } = chooseParameters('length', { iterations: 2 });`);
  /** The cursor is where the bar stands. */
  const complete = async (code: string) => {
    const request = { code: code.replace('|', ''), cursor_pos: code.indexOf('|') };
    return (await kernel.request('complete_request', request)).reply.matches;
  };
  expect(await complete("chooseParameters('mos', { it|")).toEqual(['iterations', 'syntheticFirstIteration']);
  expect(await complete("chooseParameters('mos', {\n  ba|\n  epochs: 3,\n})")).toEqual(['batchSize']);
  expect(await complete('parseParameters({ lora| })')).toEqual(['loraAlpha', 'loraRank', 'loraTargets']);
  expect(await complete('openRun(parameters, { de| })')).toEqual(expect.arrayContaining(['device']));
  expect(await complete('docu|')).toEqual([]);
  expect(await complete('GPUBuf|')).toEqual([]);
  expect(await complete('AbortCon|')).toEqual(['AbortController']);
  // A shorthand is one still where the cell runs.
  expect((await kernel.execute('const both = { parameters };')).reply.status).toBe('ok');
});

it("says what a run's parameter means, with its unit and default, and what an option means", async () => {
  const explain = async (code: string, name: string) => {
    const request = { code, cursor_pos: code.indexOf(name) + 1, detail_level: 0 };
    return JSON.stringify((await kernel.request('inspect_request', request)).reply.data);
  };
  for (const code of [
    "chooseParameters('mos', { beta: 1 })",
    'parseParameters({ beta: 1 })',
    'parameters.beta',
  ])
    expect(await explain(code, 'beta')).toContain(
      'strength of the pull to the reference policy\\nDefault: 0.1',
    );
  expect(await explain("openRun(parameters, { device: 'cpu' })", 'device')).toContain('Default: \\"auto\\"');
  expect(await explain('const own = { beta: 1 };', 'beta')).not.toContain('Default');
});

it('ends when it is asked to, whatever cells have left running', async () => {
  await kernel.execute('setInterval(() => undefined, 100);');
  const { reply } = await kernel.request('shutdown_request', { restart: true }, 'control');
  expect(reply).toMatchObject({ restart: true });
  await kernel.ended;
});
