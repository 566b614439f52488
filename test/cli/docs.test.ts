/** What documentation and manifests tell people to type, and to set, is there. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../lib/cli/main.js';

const MANIFESTS = join('docs', 'scale-out');
const pages = ['README.md', ...readdirSync('docs').map((name) => join('docs', name))].filter((path) =>
  path.endsWith('.md'),
);
const manifests = readdirSync(MANIFESTS).map((name) => join(MANIFESTS, name));

const COMMAND = /^(?:npx |exec srun (?:--\S+ )*)?speech-dpo (.*)$/;

/** Command lines within blocks of a page, or of a script, joined where they are continued. */
function commandLines(path: string): string[] {
  const text = readFileSync(path, 'utf8').replaceAll(/\\\n\s*/g, '');
  const blocks = path.endsWith('.md')
    ? [...text.matchAll(/^```\w*\n(.*?)^```/gms)].map(([, block]) => block)
    : [text];
  const indented = path.endsWith('.md') ? (text.match(/^ {4}\S.*$/gm) ?? []) : [];
  return [...blocks.join('\n').split('\n'), ...indented].flatMap((line) => {
    const command = COMMAND.exec(line.trim())?.[1];
    return command === undefined ? [] : [command.replace(/(^|\s)#.*$/, '').trim()];
  });
}

/** As a shell, without expansion. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);

async function check(line: string): Promise<void> {
  const [name, ...args] = wordsOf(line);
  const program = await createProgram(new AbortController().signal, () => undefined);
  const command = program.commands.find((each) => each.name() === name) as Command;
  expect(command, `speech-dpo ${name} is a command`).toBeDefined();
  const { operands, unknown } = command.exitOverride().parseOptions(args);
  expect(unknown, 'options are known').toEqual([]);
  const places = command.registeredArguments;
  expect(operands.length).toBeGreaterThanOrEqual(places.filter(({ required }) => required).length);
  if (!places.at(-1)?.variadic) expect(operands.length).toBeLessThanOrEqual(places.length);
  // `run --config` brings the reward of the recorded run.
  const given = command.options.filter(
    (option) => command.getOptionValue(option.attributeName()) !== undefined,
  );
  const implied = given.flatMap((option) => Object.keys((option as { implied?: object }).implied ?? {}));
  for (const option of command.options)
    if (option.mandatory && !implied.includes(option.attributeName()))
      expect(command.getOptionValue(option.attributeName()), option.long).toBeDefined();
}

const all = [...pages, ...manifests].flatMap((path) =>
  commandLines(path).map((line): [string, string] => [line, path]),
);

it('there are command lines on pages and in manifests', () => {
  expect(all.length).toBeGreaterThan(25);
  expect(all.map(([line]) => line)).toContain('worker --name "$SLURMD_NODENAME-$SLURM_JOB_ID"');
});

it.each(all)('speech-dpo %s (%s)', (line) => check(line));

it('a command line that is wrong is found', async () => {
  for (const wrong of ['wroker', 'worker --wrong', 'worker a b', 'resume', 'run --iterations 3'])
    await expect(check(wrong), wrong).rejects.toThrow();
});

/** Of npm, `npm run gpu`, benchmarks and Node.js. */
const OTHER_OPTIONS = [
  ...['--ignore-scripts', '--gpu', '--without-driver', '--cuda12', '--remove', '--nisqa', '--out', '--again'],
  ...['--heap-growing-percent', '--initial-old-space-size', '--max-semi-space-size'],
];

it('options within sentences and tables are those of a command', async () => {
  const program = await createProgram(new AbortController().signal, () => undefined);
  const options = [program, ...program.commands].flatMap((command) => command.options);
  const known = ['--help', ...OTHER_OPTIONS, ...options.map(({ long }) => long)];
  const named = new Map(
    pages.map((path) => {
      const text = readFileSync(path, 'utf8').replaceAll(/^```.*?^```/gms, '');
      const spans = Array.from(text.matchAll(/`(--[^`]+)`/g), ([, span]) => span);
      return [path, spans.flatMap((span) => span.match(/--[a-z][a-z0-9-]*/g) ?? [])];
    }),
  );
  expect(new Set(named.get(join('docs', 'trl.md'))).size).toBeGreaterThan(30);
  for (const [path, some] of named)
    expect(
      some.filter((option) => !known.includes(option)),
      path,
    ).toEqual([]);
});

describe('manifests', () => {
  it.each(manifests.filter((path) => path.endsWith('.sbatch')))('%s is a script', (path) => {
    const { status, stderr } = spawnSync('bash', ['-n', path], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('the container of workers.yaml runs a command that there is', () => {
    const [, args] = /^ +args: \[(.*)\]$/m.exec(readFileSync(join(MANIFESTS, 'workers.yaml'), 'utf8'))!;
    return check(args.replaceAll(',', ''));
  });

  it('variables that they set are read', () => {
    const set = manifests.flatMap((path) =>
      [...readFileSync(path, 'utf8').matchAll(/\b(SPEECH_DPO_\w+|XDG_\w+|[A-Z]+_WEIGHTS)\b/g)].map(
        ([name]) => name,
      ),
    );
    const sources = readdirSync('lib', { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join('lib', path), 'utf8'))
      .join('\n');
    expect(new Set(set).size).toBeGreaterThanOrEqual(3);
    for (const name of new Set(set))
      expect(sources.includes(`'${name}'`) || sources.includes(`env.${name}`), name).toBe(true);
  });
});
