/**
 * What is saved opens in transformers, in every version that SPEECH_DPO_TRANSFORMERS names: Pythons with torch and transformers, separated
 * as in PATH, the newest last.
 */
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadPretrained, savePretrained } from '../lib/policy/pretrained.js';
import { bart } from '../lib/policy/bart/bart.js';
import { exists } from '../lib/checkpoint/files.js';
import { findPackageRoot } from '../lib/package-root.js';
import { loadPolicy, savePolicy } from '../lib/policy/policy.js';
import { verifyForward } from '../lib/verify/forward.js';
import type { ForwardGolden } from '../lib/verify/golden.js';
import { NO_NOISE, type Noise } from '../lib/verify/noise.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { device } from './support/device.js';

const PROGRAM = join(import.meta.dirname, 'support', 'open_in_transformers.py');
const TINY = join(import.meta.dirname, 'fixtures', 'golden', 'tiny_bart');
const DEFAULT = join(findPackageRoot(), 'models', 'default');

const pythons = (process.env.SPEECH_DPO_TRANSFORMERS ?? '').split(delimiter).filter(Boolean);
if (pythons.length === 0)
  console.warn(
    'Skipped: SPEECH_DPO_TRANSFORMERS names no Python, and these tests open what is saved in its transformers.',
  );

interface Opened {
  /** Of all parameters, as the folder opens when nothing is said. */
  dtype: string;
  /** As it opens with torch_dtype="auto". */
  savedDtype: string;
  forward: ForwardGolden;
  /** Twice how far its float32 is from its float64: this implementation's may be as far off on the other side. */
  noise: Noise['forward'];
  tokens?: number[];
  code?: number;
}

interface Answer {
  version: string;
  folders: Record<string, Opened>;
}

/** Opens folders; `make` saves the model of one folder in another first, in bfloat16. */
function ask(python: string, open: string[], make?: { from: string; to: string }): Answer {
  const { status, stdout, stderr, error } = spawnSync(python, ['-B', PROGRAM], {
    input: JSON.stringify({ open, make }),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${python}: ${error?.message ?? stderr}`);
  return JSON.parse(stdout) as Answer;
}

/** Folders that this project wrote, and what their weights are stored as. */
async function writeFolders(folder: string): Promise<Map<string, string>> {
  const folders = new Map([
    [join(DEFAULT, 'policy'), 'float16'],
    [join(DEFAULT, 'nar'), 'float16'],
  ]);
  for (const part of ['policy', 'nar']) {
    const saved = join(folder, `default ${part}`);
    await savePolicy(await loadPolicy(join(DEFAULT, part)), saved);
    folders.set(saved, 'float32');
  }
  const bfloat16 = join(folder, 'source in bfloat16');
  ask(pythons.at(-1)!, [], { from: TINY, to: bfloat16 });
  for (const [name, source] of [
    ['tiny', TINY],
    ['tiny from bfloat16', bfloat16],
  ]) {
    const { config, weights } = await loadPretrained(source, [bart]);
    // A training's small changes, which bfloat16 would round away.
    for (const { data } of weights.values())
      if (data instanceof Float32Array) data.forEach((value, i) => (data[i] = value * (1 + (i % 7) * 1e-4)));
    const saved = join(folder, name);
    await savePretrained(saved, { architecture: bart, config, weights });
    folders.set(saved, 'float32');
  }
  return folders;
}

describe.skipIf(pythons.length === 0)('transformers', () => {
  it('opens what is saved, with the numbers, the dtype and the tokens that are in it', async () => {
    const folders = await writeFolders(temporaryFolder());
    const answers = pythons.map((python) => ask(python, [...folders.keys()]));
    for (const [folder, stored] of folders) {
      const model = await loadPretrained(folder, [bart]);
      const tokenizer =
        (await exists(join(folder, 'tokenizer.json'))) && (await loadPolicy(folder)).tokenizer;
      for (const { version, folders: opened } of answers) {
        const where = `${folder} in transformers ${version}`;
        const { dtype, savedDtype, forward, noise, tokens, code } = opened[folder];
        expect(savedDtype, where).toBe(stored);
        expect(dtype, where).toBe(version.startsWith('4.') ? 'float32' : stored);
        const rows = await verifyForward(model, forward, device, { ...NO_NOISE, forward: noise });
        expect(rows.length, where).toBe(4);
        expect(rows.filter(({ pass }) => !pass), where).toEqual([]); // prettier-ignore
        if (!tokenizer) continue;
        expect(tokens, where).toEqual(tokenizer.encodeText('Make it faster.'));
        expect(code, where).toBe(tokenizer.codeId(0, 5));
      }
    }
  }, 900_000);
});
