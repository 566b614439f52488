/** A run's page for blind listening: a person's votes on it, in Chromium, train a policy. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { beforeAll, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import { readDataFile } from '../../lib/run/data-file.js';
import type { VotesFile } from '../../lib/run/votes-file.js';
import { CHROMIUM, CHROMIUM_ARGUMENTS } from '../support/chromium.js';
import { readPage, votesOf } from '../support/listening-page.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { captureTerminal } from '../support/terminal.js';

const terminal = captureTerminal();
const PAIRS = 20;
let folder: string;
let model: string;
let trained: string;

async function run(...args: string[]): Promise<void> {
  expect(await main(args, new AbortController().signal), `${args.join(' ')}\n${terminal.complained}`).toBe(0);
}

async function refused(...args: string[]): Promise<string> {
  terminal.complained = '';
  expect(await main(args, new AbortController().signal), args.join(' ')).toBe(2);
  return terminal.complained;
}

/** The folder of the only run under a root, and its files. */
function onlyRun(root: string) {
  const [name] = readdirSync(join(root, 'output'));
  const [output, modelOutput] = ['output', 'model_output'].map((part) => join(root, part, name));
  const events = readFileSync(join(modelOutput, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  return {
    name,
    output,
    modelOutput,
    events: events.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

async function makePage(...args: string[]): Promise<string> {
  const path = join(temporaryFolder(), 'listen.html');
  await run('listen', ...args, '--output', path);
  return path;
}

const contentOf = (path: string) => readPage(readFileSync(path, 'utf8'));

const preferShorter: Parameters<typeof votesOf>[1] = ({ left, right }) =>
  left.codes.length === right.codes.length
    ? 'no difference'
    : left.codes.length < right.codes.length
      ? 'left'
      : 'right';

beforeAll(async () => {
  const root = mkdtempSync(join(tmpdir(), 'speech-dpo-listen-'));
  [model, folder, trained] = ['model', 'run', 'trained'].map((name) => join(root, name));
  await writeTinyModel(model);
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const small =
    '--iterations 1 --train-prompts 10 --test-prompts 2 --sample-size 6 --pairs-per-prompt 3 --num-eval 2 --epochs 1 --max-new-tokens 30 --audio-prompts 0 --seed 7';
  await run('even-token', '--model', model, '--output', folder, ...small.split(' '));
  return () => rmSync(root, { recursive: true, force: true });
});

/** Without a browser nobody can listen; where it is asked for, it may not be missing. */
const isAsked = process.env.SPEECH_DPO_REQUIRE_BROWSER === '1';
const isThere = existsSync(CHROMIUM);
if (!isThere && !isAsked)
  console.warn(
    `Skipped: blind listening in a browser. Chromium is not at ${CHROMIUM}; CHROMIUM sets its path, SPEECH_DPO_REQUIRE_BROWSER=1 demands it.`,
  );

it("a person's votes by the keyboard on 20 pairs of a run train a policy that prefers what they chose", async () => {
  const { name, output } = onlyRun(folder);
  const path = await makePage(output, '--pairs', String(PAIRS));
  expect(terminal.printed).toMatch(/listen\.html: 20 pairs\n$/);
  const content = contentOf(path);
  expect(content.key.systems).toEqual([`${name} chosen`, `${name} rejected`]);
  const rows = await readDataFile(join(output, 'data_iter_0.json'));
  const inFile = new Set(rows.map(({ chosen, rejected }) => JSON.stringify([chosen, rejected])));
  for (const { left, right } of content.key.pairs) {
    const [chosen, rejected] = left.system.endsWith('chosen') ? [left, right] : [right, left];
    expect(inFile).toContain(JSON.stringify([chosen.codes, rejected.codes]));
  }
  expect(new Set(content.key.pairs.map((pair) => JSON.stringify(pair))).size).toBe(PAIRS);

  const inAnyCase = votesOf(content, (pair, i) => (i === 3 ? 'both bad' : preferShorter(pair, i)));
  const votes = isThere || isAsked ? await voteInChromium(path) : inAnyCase;
  expect(votes.votes).toEqual(inAnyCase.votes);

  const file = join(temporaryFolder(), 'votes.json');
  writeFileSync(file, JSON.stringify(votes));
  const training =
    '--epochs 20 --learning-rate 0.01 --batch-size 10 --beta 0.1 --validation-share 0 --seed 7';
  terminal.complained = '';
  await run('train', '--pairs', file, '--model', model, '--output', trained, ...training.split(' '));
  const made = votes.votes.filter(({ choice }) => choice === 'left' || choice === 'right').length;
  expect(made).toBeGreaterThan(10);
  expect(terminal.complained).toContain(`20 votes on 20 pairs make ${made} pairs to train on`);
  const { output: trainedOutput, modelOutput: trainedModels, events } = onlyRun(trained);
  // No reward has taught it: that of the defaults would say nothing.
  expect(terminal.printed).toMatch(/To score it: npx speech-dpo eval \S+iter_0\S* --reward mos\n$/);
  expect(await refused('eval', join(trainedModels, 'iter_0'))).toMatch(
    /^error: run \S+ trained on given pairs and has no reward; give it: --reward mos \(or another one\)\n$/,
  );
  terminal.printed = '';
  await run(
    'train',
    '--pairs',
    join(folder, 'output', onlyRun(folder).name, 'data_iter_0.json'),
    '--output',
    temporaryFolder(),
  );
  expect(terminal.printed).toMatch(/To score it: npx speech-dpo eval \S+iter_0\S*\n$/);
  const trainedOn = await readDataFile(join(trainedOutput, 'data_iter_0.json'));
  expect(trainedOn).toHaveLength(made);
  for (const { chosen, rejected } of trainedOn) expect(chosen.length).toBeLessThan(rejected.length);
  const steps = events
    .filter(({ type }) => type === 'step')
    .map(({ metrics }) => metrics as Record<string, number>);
  expect(steps[0]['rewards/margins']).toBe(0);
  for (const step of steps.slice(-2)) {
    expect(step['rewards/accuracies']).toBeGreaterThan(0.9);
    expect(step['rewards/margins']).toBeGreaterThan(0.2);
  }

  // Two runs: on the prompts that both have.
  const both = contentOf(await makePage(output, trainedOutput, '--pairs', '4'));
  const [a, b] = both.key.systems;
  expect(both.key.systems.map((system) => system.endsWith(' iter_0'))).toEqual([true, true]);
  for (const { left, right } of both.key.pairs)
    expect([left.system, right.system].sort()).toEqual([a, b].sort());
  expect(new Set(both.pairs.map(({ instruction }) => instruction)).size).toBe(2);
});

it('of a policy before and after, a page holds the very samples that the run evaluated', async () => {
  const { name, output, events } = onlyRun(folder);
  const { key } = contentOf(await makePage(output, '--compare', 'policies', '--pairs', '4'));
  expect(key.systems).toEqual([`${name} original`, `${name} iter_0`]);
  for (const [i, iteration] of [-1, 0].entries()) {
    const event = events.find(
      (each) => each.type === 'evaluated' && each.split === 'test' && each.iteration === iteration,
    )!;
    const lengths = key.pairs.flatMap(({ left, right }) =>
      [left, right].filter(({ system }) => system === key.systems[i]).map(({ codes }) => codes.length),
    );
    expect(lengths.length).toBeGreaterThan(1);
    const left = [...(event.lengths as number[])];
    for (const length of lengths) expect(left.splice(left.indexOf(length), 1)).toEqual([length]);
  }
});

it('refuses what cannot be compared', async () => {
  const { output, modelOutput } = onlyRun(folder);
  expect(await refused('listen', output, '--iteration', '3')).toContain('has no data_iter_3.json');
  expect(await refused('listen', output, '--iteration', '3', '--compare', 'policies')).toContain(
    'iter_3/dpo_model does not exist; run ',
  );
  expect(await refused('listen', output, output)).toContain('is given twice');
  expect(await refused('listen', output, '--pairs', '0')).toContain('whole number from 1 on');
  for (const seed of ['-1', '1.5'])
    expect(await refused('listen', output, '--seed', seed)).toContain(
      `the seed of the choice of pairs is a whole number from 0 to 4294967295, not ${seed}`,
    );
  expect(await refused('listen', output, modelOutput, output)).toContain('not of 3');
  expect(await refused('listen', model)).toContain('run.json');
  const votes = join(temporaryFolder(), 'votes.json');
  writeFileSync(votes, '{"votes": []}');
  expect(await refused('listen', output, '--output', votes)).toContain(
    `${votes} is there already, and no page`,
  );
  expect(readFileSync(votes, 'utf8')).toBe('{"votes": []}');
});

/** Plays both sides, and tells how long they are. */
async function listenToBoth(page: Page): Promise<{ left: number; right: number }> {
  for (const [key, side] of [
    ['a', 'left'],
    ['b', 'right'],
  ] as const) {
    await page.keyboard.press(key);
    await page.waitForSelector(`#play-${side}.heard`);
  }
  const [left, right] = (await page.evaluate(
    '[sounds.left.audio.duration, sounds.right.audio.duration]',
  )) as number[];
  return { left, right };
}

async function download(page: Page): Promise<VotesFile> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('e')]);
  return JSON.parse(readFileSync(await file.path(), 'utf8')) as VotesFile;
}

/** A person who prefers shorter samples, and finds both of the fourth pair bad, votes by the keyboard and exports. */
async function voteInChromium(path: string): Promise<VotesFile> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_ARGUMENTS,
  });
  try {
    const context = await browser.newContext({ acceptDownloads: true });
    const asked: string[] = [];
    context.on('request', (request) => void asked.push(request.url()));
    const address = pathToFileURL(path).href;
    let page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(address);

    await page.keyboard.press('ArrowLeft');
    expect(await page.textContent('#hint')).toBe('Listen to both before you choose.');
    expect(await page.textContent('#count')).toBe('Pair 1 of 20');

    const expected: string[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      if (pair === 7) {
        // The browser keeps the votes: the page goes on where it was left.
        await page.close();
        page = await context.newPage();
        page.on('pageerror', (error) => errors.push(error.message));
        await page.goto(address);
      }
      expect(await page.textContent('#count')).toBe(`Pair ${pair + 1} of 20`);
      const { left, right } = await listenToBoth(page);
      const [choice, key] =
        pair === 3
          ? ['both bad', 'x']
          : left === right
            ? ['no difference', 'ArrowDown']
            : left < right
              ? ['left', 'ArrowLeft']
              : ['right', 'ArrowRight'];
      if (pair === 5) {
        // A vote that is taken back.
        await page.keyboard.press('x');
        await page.keyboard.press('Backspace');
        expect(await page.getAttribute('#bad', 'aria-pressed')).toBe('true');
      }
      await page.keyboard.press(key);
      expected.push(choice);
    }
    expect(await page.textContent('#count')).toBe('20 of 20 done');
    const votes = await download(page);
    expect(errors).toEqual([]);
    expect(asked.filter((url) => !/^(file|blob|data):/.test(url))).toEqual([]);
    expect(votes.votes.map(({ choice }) => choice)).toEqual(expected);

    // Another browser takes the exported file and goes on.
    const file = join(temporaryFolder(), 'some.json');
    writeFileSync(file, JSON.stringify({ ...votes, votes: votes.votes.slice(0, 4) }));
    const elsewhere = await (await browser.newContext()).newPage();
    await elsewhere.goto(address);
    await elsewhere.setInputFiles('#load', file);
    await elsewhere.waitForFunction("document.getElementById('count').textContent === 'Pair 5 of 20'");
    const again = await download(elsewhere);
    expect(again).toEqual({ ...votes, votes: votes.votes.slice(0, 4), exportedAt: again.exportedAt });

    const damaged = join(temporaryFolder(), 'damaged.json');
    for (const held of [undefined, [{ pair: PAIRS, choice: 'left' }], [{ pair: 0, choice: 'neither' }]]) {
      writeFileSync(damaged, JSON.stringify({ ...votes, votes: held }));
      await elsewhere.setInputFiles('#load', damaged);
      await elsewhere.waitForSelector('#hint:has-text("is damaged")');
      await elsewhere.evaluate("hint('')");
    }

    // The page is open twice in a browser: no vote of either is lost, and a file takes their place only where that is wanted.
    const twice = await elsewhere.context().newPage();
    await twice.goto(address);
    for (const each of [twice, twice, elsewhere, twice]) {
      await listenToBoth(each);
      await each.keyboard.press('x');
    }
    const countOfVotes = async () => (await download(elsewhere)).votes.length;
    // What one page has stored comes to the other by way of the browser's own process.
    await expect.poll(countOfVotes, { timeout: 10_000 }).toBe(7);
    for (const [answer, count] of [
      ['dismiss', 7],
      ['accept', 4],
    ] as const) {
      elsewhere.once('dialog', (dialog) => {
        expect(dialog.message()).toContain('some.json lacks 3 of the votes in this browser');
        void dialog[answer]();
      });
      await Promise.all([elsewhere.waitForEvent('dialog'), elsewhere.setInputFiles('#load', file)]);
      expect(await countOfVotes()).toBe(count);
    }

    // Where the browser has no room for more, the page knows votes that are not kept.
    await elsewhere.evaluate("Storage.prototype.setItem = () => { throw new Error('full'); }");
    for (let pair = 0; pair < 2; pair++) {
      await listenToBoth(elsewhere);
      await elsewhere.keyboard.press('x');
    }
    expect(await countOfVotes()).toBe(6);

    return votes;
  } finally {
    await browser.close();
  }
}
