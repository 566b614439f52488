/** docs/trl.md names what the TRL has that SPEECH_DPO_REFERENCE's Python brings: what is new there must be told. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPackageRoot } from '../lib/package-root.js';

const python = process.env.SPEECH_DPO_REFERENCE;
if (!python)
  console.warn(
    'Skipped: SPEECH_DPO_REFERENCE names no Python with TRL, and this test compares a page with its options.',
  );

const PROGRAM = `
import dataclasses, json, transformers, trl
fields = lambda options: [field.name for field in dataclasses.fields(options)]
print(json.dumps(dict(
    version=trl.__version__,
    own=[name for name in fields(trl.DPOConfig) if name not in fields(transformers.TrainingArguments)],
    inherited=fields(transformers.TrainingArguments))))
`;

interface Options {
  version: string;
  /** What DPOConfig adds to TrainingArguments. */
  own: string[];
  inherited: string[];
}

it.skipIf(!python)(
  'docs/trl.md has every option of DPOConfig, and those of training by their names',
  { timeout: 120_000 },
  () => {
    const { status, stdout, stderr } = spawnSync(python!, ['-B', '-c', PROGRAM], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const { version, own, inherited } = JSON.parse(stdout.trim().split('\n').at(-1)!) as Options;
    const page = readFileSync(join(findPackageRoot(), 'docs', 'trl.md'), 'utf8');
    expect(page).toContain(`TRL ${version}`);
    expect(own.length).toBeGreaterThan(20);
    expect(own.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
    // Of the first cells, without what they say of TRL 1.x and PEFT: a name that TrainingArguments has not is misspelt.
    const section = (title: string) => page.split(`## ${title}\n`)[1].split('\n## ')[0];
    const cells = Array.from(section('The training').matchAll(/^\| (`.*?) *\|/gm), ([, cell]) => cell);
    const named = cells.slice(1).flatMap((cell) => Array.from(cell.matchAll(/`(\w+)`/g), ([, name]) => name));
    expect(named.length).toBeGreaterThan(30);
    // Arguments of the trainer itself.
    const known = [...inherited, 'eval_dataset'];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  },
);
