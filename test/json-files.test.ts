/**
 * Every JSON file that is read, with a part of it replaced by something hostile, or its text damaged: an answer or a sentence that names
 * the file, soon, and nothing else. JSON_RUNS=5000 npx vitest run test/json-files.test.ts tries more than the default.
 */
import fc from 'fast-check';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { ARCHITECTURES, readModelConfig } from '../lib/policy/architectures.js';
import { bart } from '../lib/policy/bart/bart.js';
import { loadPretrained, savePretrained } from '../lib/policy/pretrained.js';
import { readTensorFiles } from '../lib/checkpoint/tensor-files.js';
import { loadEncodec } from '../lib/codec/encodec/checkpoint.js';
import { loadSpectralCodec } from '../lib/codec/spectral/checkpoint.js';
import { readAudioIndex } from '../lib/experiment/audio-examples.js';
import { readDataFile, writeDataFile } from '../lib/run/data-file.js';
import { readEvaluations } from '../lib/experiment/evaluations-file.js';
import { summarizeGuards } from '../lib/experiment/guard-summary.js';
import { whileLocked } from '../lib/run/lock.js';
import { loadPrompts } from '../lib/data/prompts.js';
import { tally } from '../lib/experiment/tally.js';
import { findPackageRoot } from '../lib/package-root.js';
import { loadTokenizer } from '../lib/policy/tokenizer.js';
import { writeReport } from '../lib/view/report.js';
import { writeSafetensors } from '../lib/checkpoint/safetensors.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { tinyConfig, tinyWeights } from './support/tiny-bart.js';
import { tokenizerFolder } from './support/tokenizer-folder.js';
import { fixtureEvents, writeFixtureRun } from './view/fixture-run.js';

const RUNS = Number(process.env.JSON_RUNS ?? 60);
/** Of the processor, not of the clock: other programs may run beside. */
const MAX_MILLISECONDS = 2000;

/** A file that can be read, and what reads it. */
interface Kind {
  file: string;
  read: () => Promise<unknown>;
  /** What the error may name instead: the folder that the file is part of. */
  folder?: string;
  /** What else must be true of the answer to a text, or of the error in its place; for readers that pass over what is damaged. */
  check?: (text: string, answer: unknown, failure: unknown) => void;
}

const CODEC = { codebooks: 2, codebookSize: 4 };
const codes = [
  [0, 1],
  [2, 3],
];

const KINDS: Record<string, () => Promise<Kind>> = {
  async "a BART's config.json"() {
    const folder = join(temporaryFolder(), 'bart');
    const config = tinyConfig();
    await savePretrained(folder, { architecture: bart, config, weights: tinyWeights(config) });
    const file = join(folder, 'config.json');
    const read = async () => {
      await readModelConfig(file, ARCHITECTURES);
      await loadPretrained(folder);
    };
    return { file, folder, read };
  },
  async 'the index of shards'() {
    const folder = temporaryFolder();
    const tensor = { shape: [1], dtype: 'float32' as const, data: Float32Array.of(1) };
    const weight_map: Record<string, string> = {};
    for (const name of ['a', 'b']) {
      weight_map[name] = `model-${name}.safetensors`;
      await writeSafetensors(join(folder, weight_map[name]), new Map([[name, tensor]]));
    }
    const file = join(folder, 'model.safetensors.index.json');
    writeFileSync(file, JSON.stringify({ metadata: { total_size: 8 }, weight_map }));
    return { file, folder, read: () => readTensorFiles(folder) };
  },
  async 'tokenizer.json'() {
    const folder = tokenizerFolder({ texts: ['make it', 'make'], merges: 3, codes: 8 });
    const file = join(folder, 'tokenizer.json');
    const read = async () => (await loadTokenizer(folder, CODEC)).encodeText('make it faster');
    return { file, read };
  },
  async "the embedded codec's config.json"() {
    const folder = join(temporaryFolder(), 'codec');
    cpSync(join(findPackageRoot(), 'models', 'default', 'codec'), folder, { recursive: true });
    return { file: join(folder, 'config.json'), folder, read: () => loadSpectralCodec(folder) };
  },
  async "EnCodec's config.json"() {
    const folder = join(temporaryFolder(), 'encodec');
    cpSync(join(import.meta.dirname, 'fixtures', 'encodec', 'constant'), folder, { recursive: true });
    return {
      file: join(folder, 'config.json'),
      folder,
      read: () => loadEncodec(folder, { bandwidthKbps: 0.8 }),
    };
  },
  async 'prompts.json'() {
    const item = { src_encodec: codes, instruction: 'Faster', tgt_encodec: codes, text: 'words' };
    const file = join(temporaryFolder(), 'prompts.json');
    writeFileSync(file, JSON.stringify({ train: [item, item], test: [item] }));
    return { file, read: () => loadPrompts(file, CODEC) };
  },
  async 'data_iter_0.json'() {
    const folder = temporaryFolder();
    const row = {
      ...{ instruction: 'Faster', source: [1, 2], chosen: [3], rejected: [1] },
      ...{ chosenReward: 2, rejectedReward: 1, averageReward: 1.5, details: { chosen_lengths: 1 } },
    };
    await writeDataFile(folder, 0, [row, row]);
    const file = join(folder, 'data_iter_0.json');
    return { file, read: () => readDataFile(file) };
  },
  async 'run.json'() {
    const { modelDirectory: folder, outputDirectory } = await fixtureRun();
    return { file: join(folder, 'run.json'), read: () => writeReport(outputDirectory) };
  },
  async 'metrics.jsonl'() {
    const { modelDirectory: folder, outputDirectory } = await fixtureRun();
    return { file: join(folder, 'metrics.jsonl'), read: () => writeReport(outputDirectory) };
  },
  async 'audio.json'() {
    const { outputDirectory } = await fixtureRun();
    const file = join(outputDirectory, 'audio.json');
    const read = async () => {
      await writeReport(outputDirectory);
      await readAudioIndex(outputDirectory);
    };
    return { file, read };
  },
  async 'evaluations.json'() {
    const modelDirectory = temporaryFolder();
    const sample = { codes: [1, 2], reward: 1, rank: 1, finished: true, details: {}, figures: {} };
    const evaluation = { train: [[sample]], test: [[sample, sample]] };
    const file = join(modelDirectory, 'evaluations.json');
    writeFileSync(file, JSON.stringify({ original: evaluation, last: { iteration: 0, evaluation } }));
    const whole = readFileSync(file, 'utf8');
    const read = async () => {
      const evaluations = await readEvaluations({ name: '', modelDirectory, outputDirectory: '' });
      // What a run that goes on makes of them.
      for (const { train, test } of [evaluations?.original, evaluations?.last?.evaluation].filter(
        (each) => each !== undefined,
      )) {
        tally([...train, ...test]);
        summarizeGuards(test);
      }
      return evaluations;
    };
    const check: Kind['check'] = (text, answer, failure) => {
      expect(failure).toBeUndefined();
      if (answer !== undefined) expect(answer).toEqual(JSON.parse(text));
      else expect(text).not.toBe(whole);
    };
    return { file, read, check };
  },
  async 'a lock'() {
    const folder = temporaryFolder();
    const owner = {
      pid: 2 ** 22 + 1,
      host: hostname(),
      startedAt: '2024-06-01T12:00:00.000Z',
      processStart: '1',
    };
    const file = join(folder, '.lock_1.json');
    writeFileSync(file, JSON.stringify(owner));
    const check: Kind['check'] = (text, _, failure) => {
      // A fresh lock holds, unless it is of a process of this machine that is gone: no damage makes it one that lives.
      const isLeftBehind = isOwner(text) && (JSON.parse(text) as typeof owner).host === owner.host;
      expect(failure === undefined, `${text} is taken over`).toBe(isLeftBehind);
      expect(readdirSync(folder)).toEqual(isLeftBehind ? [] : [basename(file)]);
    };
    return { file, read: () => whileLocked(folder, async function* () {}).next(), check };
  },
};

function isOwner(text: string): boolean {
  const owner = (() => {
    try {
      return JSON.parse(text) as Record<string, unknown> | null;
    } catch {
      return null;
    }
  })();
  return (
    typeof owner === 'object' &&
    owner !== null &&
    Object.keys(owner).sort().join() === 'host,pid,processStart,startedAt' &&
    Number.isSafeInteger(owner.pid) &&
    (owner.pid as number) > 0 &&
    typeof owner.host === 'string' &&
    typeof owner.startedAt === 'string' &&
    (owner.processStart === null || typeof owner.processStart === 'string')
  );
}

/** Few events, on few lines, each as likely to be hit. */
async function fixtureRun() {
  const run = await writeFixtureRun({ events: fixtureEvents(1) });
  const kept = temporaryFolder();
  const [modelDirectory, outputDirectory] = ['model_output', 'output'].map((top) =>
    join(kept, top, '0601-1200'),
  );
  for (const [from, to] of [
    [run.modelDirectory, modelDirectory],
    [run.outputDirectory, outputDirectory],
  ]) {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
  }
  return { modelDirectory, outputDirectory };
}

/** Stands for a list nested deeper than JSON.stringify can go. */
const DEEP = 'a deep list';
const deepList = '['.repeat(5000) + ']'.repeat(5000);

const anyHostile = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    0.5,
    2 ** 31,
    2 ** 53,
    1e308,
    '',
    'x',
    '../../x',
    '/etc/passwd',
  ),
  fc.constantFrom<unknown>(
    [],
    {},
    [[]],
    [null],
    'a'.repeat(100_000),
    JSON.parse('{"__proto__": {"polluted": 1}}'),
  ),
  fc.constant(DEEP),
  fc.constant('</script><script>alert(1)</script>'),
  fc.jsonValue(),
);
type Damage = { steps: number[]; hostile: unknown; how: 'replace' | 'remove' | 'add' };
const anyDamage: fc.Arbitrary<Damage> = fc.record({
  steps: fc.array(fc.nat(1000), { maxLength: 5 }),
  hostile: anyHostile,
  how: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add'),
});
const anyTextDamage = fc.array(
  fc.tuple(fc.nat(), fc.constantFrom('', '{', '}', '"', ',', '\\', '1e999', '\0', '\n')),
  {
    minLength: 1,
    maxLength: 3,
  },
);

/** A copy of `value` in which the part that `steps` lead to is something else, or gone, or has one part more. */
function damaged(value: unknown, { steps: [step, ...further], hostile, how }: Damage): unknown {
  if (typeof value !== 'object' || value === null || step === undefined) {
    return how === 'replace' || typeof value !== 'object' ? hostile : value;
  }
  const entries = Object.entries(value);
  const at = step % Math.max(entries.length, 1);
  if (further.length > 0 && entries.length > 0) {
    entries[at][1] = damaged(entries[at][1], { steps: further, hostile, how });
  } else if (how === 'remove') entries.splice(at, 1);
  else if (how === 'add') entries.push([entries[0]?.[0] === '0' ? String(entries.length) : 'added', hostile]);
  else if (entries.length > 0) entries[at][1] = hostile;
  return Array.isArray(value) ? entries.map(([, part]) => part) : Object.fromEntries(entries);
}

it.each(Object.keys(KINDS))('%s', async (name) => {
  const { file, folder, read, check } = await KINDS[name]();
  const whole = readFileSync(file, 'utf8');
  check?.(whole, await read(), undefined);
  const isLines = file.endsWith('.jsonl');
  const lines = isLines ? whole.trimEnd().split('\n') : [whole];
  const anyText = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.tuple(fc.nat(), anyDamage).map(([line, damage]) => {
        const changed = [...lines];
        const at = line % lines.length;
        changed[at] = JSON.stringify(damaged(JSON.parse(lines[at]), damage)).replaceAll(
          `"${DEEP}"`,
          deepList,
        );
        return changed.join('\n') + '\n';
      }),
    },
    {
      weight: 1,
      arbitrary: anyTextDamage.map((changes) => {
        let text = whole;
        for (const [position, piece] of changes) {
          const at = position % text.length;
          text = text.slice(0, at) + piece + text.slice(at + 1);
        }
        return text;
      }),
    },
  );
  let longestMs = 0;
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      writeFileSync(file, text);
      const start = process.cpuUsage();
      let answer: unknown;
      const failure = await read().then(
        (value) => void (answer = value),
        (error: unknown) => error,
      );
      const { user, system } = process.cpuUsage(start);
      longestMs = Math.max(longestMs, (user + system) / 1000);
      if (failure !== undefined) {
        expect(failure).toBeInstanceOf(Error);
        expect((failure as Error).constructor, String((failure as Error).stack)).toBe(Error);
        expect((failure as Error).message).toSatisfy(
          (message: string) =>
            message.includes(basename(file)) || (!!folder && message.includes(basename(folder))),
        );
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      check?.(text, answer, failure);
    }),
    { numRuns: RUNS },
  );
  expect(longestMs).toBeLessThan(MAX_MILLISECONDS);
});
