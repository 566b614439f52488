/** What the command line says of itself, at the widths that terminals have. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProgram, main } from '../../lib/cli/main.js';
import { packageVersion } from '../../lib/package-root.js';

let printed = '';
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const name of ['isTTY', 'columns'] as const) Reflect.deleteProperty(process.stdout, name);
});

const signal = new AbortController().signal;
const run = (...args: string[]) => main(args, signal);
const { commands } = await createProgram(signal, () => undefined);
const names = commands.map((command) => command.name());
const widest = () => Math.max(...printed.split('\n').map((line) => line.length));

function onTerminal(columns: number): void {
  Object.defineProperty(process.stdout, 'isTTY', { value: true, configurable: true });
  Object.defineProperty(process.stdout, 'columns', { value: columns, configurable: true });
}

it.each(names)('a command line of %s loads that command, and not the others', async (name) => {
  const made = (await createProgram(signal, () => undefined, name)).commands;
  expect(made.map((command) => command.name())).toContain(name);
  expect(made.length).toBeLessThanOrEqual(3);
  const helpOf = (some: typeof commands) => some.find((each) => each.name() === name)!.helpInformation();
  expect(helpOf([...made])).toBe(helpOf(commands));
});

it('alone prints a short page: what it is, how to begin, where help is', async () => {
  expect(await run()).toBe(0);
  expect(printed.split('\n').length).toBeLessThan(24);
  expect(widest()).toBeLessThanOrEqual(80);
  expect(printed).toContain(`speech-dpo ${packageVersion()} trains`);
  const commands = [...printed.matchAll(/^ {2}npx speech-dpo ([\w-]+)/gm)].map(([, name]) => name);
  expect(commands).toHaveLength(5);
  for (const name of commands) expect(names).toContain(name);
  expect(printed).toContain('npx speech-dpo --help');
});

it.each(['--version', '-V'])('%s prints the version alone', async (option) => {
  expect(await run(option)).toBe(0);
  expect(printed).toBe(`${packageVersion()}\n`);
});

it.each([80, 100, 120])('help fits a terminal of %i columns', async (columns) => {
  onTerminal(columns);
  const widths: number[] = [];
  for (const args of [[], ...names.map((name) => [name])]) {
    printed = '';
    expect(await run(...args, '--help')).toBe(0);
    expect(widest(), args.join()).toBeLessThanOrEqual(columns);
    widths.push(widest());
  }
  // It takes the room there is, up to lines that are still easy to read.
  expect(Math.max(...widths)).toBeGreaterThan(Math.min(columns, 100) - 5);
  expect(Math.max(...widths)).toBeLessThanOrEqual(100);
});

const taking = ['mos', 'train', 'eval', 'edit', 'logps', 'merge', 'resume', 'report', 'compare', 'listen'];
it.each(taking)('help of %s says how a run below another folder is named', async (name) => {
  expect(await run(name, '--help')).toBe(0);
  expect(printed.replace(/\s+/g, ' ')).toContain(
    'below another folder, that folder before it, FOLDER/MMDD-HHMM',
  );
});

it('help calls other parameters by their options, and leaves words as they are', async () => {
  expect(await run('mos', '--help')).toBe(0);
  const text = printed.replace(/\s+/g, ' ');
  expect(text).toContain('that differ by --min-margin,');
  expect(text).toContain("start from instead of the model's policy: a run");
});

it('help that no terminal shows has 80 columns', async () => {
  expect(await run('mos', '--help')).toBe(0);
  expect(widest()).toBeLessThanOrEqual(80);
});

it('--reward means a reward in every command, and mos has one', async () => {
  const withReward = commands.flatMap((command) =>
    command.options.filter(({ long, hidden }) => long === '--reward' && !hidden),
  );
  expect(withReward.length).toBeGreaterThanOrEqual(4);
  for (const { flags, description } of withReward) {
    expect(flags).toBe('--reward <source>');
    expect(description).toContain('even-token, length, mos');
  }
  const complained = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(await run('mos', '--reward', 'dnsmos')).toBe(2);
  expect(complained.mock.calls.join('')).toContain('--reward-model dnsmos');
});

it('train takes everything that says how pairs are trained on', async () => {
  expect(await run('train', '--help')).toBe(0);
  for (const option of ['--schedule', '--warmup-steps', '--early-stopping', '--patience'])
    expect(printed).toContain(`  ${option} `);
});

it('eval says what its file is called', async () => {
  expect(await run('eval', '--help')).toBe(0);
  expect(printed.replaceAll(/\s+/g, ' ')).toContain(
    'with the name of the reward at the end unless it is mos',
  );
});
