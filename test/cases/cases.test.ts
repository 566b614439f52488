/**
 * Files and surroundings that went wrong somewhere, in a folder each of ../shared/cases with a note of what is right: each is read, by the
 * library or by the command line as it is installed, under every Node.js at hand.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseBartConfig } from '../../lib/policy/bart/config.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { savePretrained } from '../../lib/policy/pretrained.js';
import { codebooksForBandwidth, readEncodecConfig } from '../../lib/codec/encodec/config.js';
import { startServer } from '../support/file-server.js';
import { startKernel } from '../support/kernel.js';
import { sharedPath } from '../support/shared.js';
import { TINY_CONFIG_JSON, tinyWeights } from '../support/tiny-bart.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { CLI, nodes, READ, runScript, type Ended, type Node } from './nodes.js';

const CASES = sharedPath('cases');
const at = (...parts: string[]) => join(CASES!, ...parts);
const inCase = (name: string, pattern: RegExp) =>
  readdirSync(at(name))
    .filter((file) => pattern.test(file))
    .map((file) => at(name, file));

interface Outcome {
  value?: unknown;
  error?: string;
}

async function read(node: Node, kind: string, paths: readonly string[]): Promise<Outcome[]> {
  const { code, stdout, stderr } = await runScript(node, [READ, kind, ...paths]);
  expect(code, stderr).toBe(0);
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(paths.length);
  return lines.map((line) => JSON.parse(line) as Outcome);
}

/** What ended with one sentence of `code`, that tells what is wrong. */
function expectSentence({ code, stderr }: Ended, sentence: RegExp, expectedCode = 2): void {
  expect(stderr).toMatch(sentence);
  expect(stderr, 'no stack').not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  expect(stderr.trim().split('\n').length, stderr).toBe(1);
  expect(code, stderr).toBe(expectedCode);
}

/** An error for whoever gave the file: a plain Error, in one line. */
const refusal = (sentence: RegExp) => ({
  error: expect.stringMatching(new RegExp(`^Error: .*${sentence.source}[^\\n]*$`, 's')),
});

const rightItems = () =>
  readFileSync(at('data-transposed', 'base.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { instruction: string });

describe.runIf(CASES).each(nodes())('Node.js $version', (node) => {
  it('leaves hidden folders and copies out of a dataset', async () => {
    const folders = ['appledouble', 'hfcache', 'ipynb', 'macosx'].map((name) =>
      at('data-hidden-folders', name),
    );
    const outcomes = await read(node, 'items', [
      ...folders,
      ...folders.map((folder) => join(folder, 'data.jsonl')),
    ]);
    for (const i of folders.keys()) {
      const [whole, alone] = [outcomes[i], outcomes[folders.length + i]];
      expect(whole.value).toHaveLength(6);
      expect(whole).toEqual(alone);
    }
  });

  it('refuses a code that is no number, and says where it is', async () => {
    const files = inCase('data-null-codes-become-0', /\.(jsonl|parquet)$/);
    expect(files.length).toBe(9);
    for (const outcome of await read(node, 'items', files))
      expect(outcome).toEqual(
        refusal(/: item 2: (src|tgt)_encodec: Codebook 3 holds .* in frame 4; codes are whole numbers/),
      );
  });

  it('reads codes given by frames as codes by codebooks, or refuses them', async () => {
    const [{ value, error }] = await read(node, 'items', [at('data-transposed', 'transposed.jsonl')]);
    if (error !== undefined) expect(error).toMatch(/^Error: .*as if each were a frame[^\n]*$/);
    else expect(value).toEqual(rightItems());
  });

  it('reads line and paragraph separators within a text', async () => {
    const instructions = ['Make it\u2028louder.', 'Make it\u0085louder.\u2029 x'];
    const files = ['u2028', 'u2029'].map((name) => at('data-u2028-node24', `${name}.jsonl`));
    for (const [i, { value }] of (await read(node, 'items', files)).entries()) {
      expect(value).toHaveLength(6);
      expect((value as { instruction: string }[])[2].instruction).toBe(instructions[i]);
    }
  });

  it('reads parquet compressed with zstd and lz4', async () => {
    const files = ['polars-default', 'comp-lz4'].map((name) => at('parquet-zstd', `${name}.parquet`));
    for (const { value } of await read(node, 'items', files)) expect(value).toEqual(rightItems());
  });

  it('reads 24 bits in 4 bytes', async () => {
    const files = ['base', '24in32-left'].map((name) => at('wav-24-bits-in-4-bytes', `${name}.wav`));
    const [base, padded] = await read(node, 'wav', files);
    expect(base.value).toMatchObject({ samples: 9600, levelDb: expect.closeTo(-15.561, 2) });
    expect(padded.value).toMatchObject({
      samples: 9600,
      levelDb: expect.closeTo(-15.56, 2),
      peakDb: expect.closeTo(-6.003, 2),
    });
  });

  it('reads WAV files whose lengths a stream left unsaid', async () => {
    const files = inCase('wav-streamed-lengths', /\.wav$/);
    expect(files.length).toBe(11);
    for (const [i, outcome] of (await read(node, 'wav', files)).entries()) {
      // Length 0 tells as well of a file that really is empty: soundfile reads it only where RIFF says 8.
      if (files[i].endsWith('size0.wav') && outcome.error) expect(outcome).toEqual(refusal(/length/));
      else
        expect(outcome.value, `${files[i]}: ${outcome.error}`).toMatchObject({
          samples: 9600,
          levelDb: expect.closeTo(-15.561, 2),
        });
    }
  });

  it('refuses samples that are no finite numbers, wherever they come in', async () => {
    const folder = temporaryFolder();
    await writeTinyModel(folder);
    const instructions = join(folder, 'lines.txt');
    const ok = at('nan-samples', 'ok.wav');
    const sentence = /a sample that is not a finite number/;
    const files = ['nan.wav', 'allnan.wav', 'inf.wav'].map((name) => at('nan-samples', name));
    for (const outcome of await read(node, 'wav', files)) expect(outcome).toEqual(refusal(sentence));
    const [wav] = files;
    writeFileSync(instructions, 'nan.wav\tMake it louder.\n');
    for (const [expectedCode, ...args] of [
      [
        2,
        'prepare',
        '--wav',
        at('nan-samples'),
        '--instructions',
        instructions,
        '--model',
        folder,
        '--output',
        join(folder, 'out.jsonl'),
      ],
      [
        2,
        'edit',
        '--wav',
        wav,
        '--instruction',
        'Make it louder.',
        '--model',
        folder,
        '--output',
        join(folder, 'out.wav'),
      ],
      [2, 'score', wav, '--metric', 'stoi,estoi,silence', '--reference', ok],
      [2, 'score', ok, '--metric', 'stoi', '--reference', wav],
    ] as [number, ...string[]][])
      expectSentence(await runScript(node, [CLI, ...args]), sentence, expectedCode);
  });

  it('names a Git LFS pointer', async () => {
    const model = temporaryFolder();
    await writeTinyModel(model);
    const policies = ['model.safetensors', 'pytorch_model.bin'].map((weights) => {
      const folder = temporaryFolder();
      for (const name of readdirSync(join(model, 'policy')))
        if (!/safetensors|SHA256SUMS/.test(name)) cpSync(join(model, 'policy', name), join(folder, name));
      cpSync(at('git-lfs-pointers', weights), join(folder, weights));
      return folder;
    });
    for (const outcome of await read(node, 'policy', policies))
      expect(outcome).toEqual(refusal(/Git LFS pointer.*git lfs pull/));
    const [pointer, empty] = await read(node, 'items', [
      at('git-lfs-pointers', 'lfs.parquet'),
      at('git-lfs-pointers', 'zero.parquet'),
    ]);
    expect(pointer).toEqual(refusal(/Git LFS pointer.*git lfs pull/));
    expect(empty).toEqual(refusal(/empty/));
    const score = await runScript(node, [CLI, 'score', at('git-lfs-pointers', 'git-lfs.wav'), '--metric', 'silence']); // prettier-ignore
    expectSentence(score, /Git LFS pointer.*git lfs pull/, 2);
  });

  it('ends where the weights of DNSMOS are missing', async () => {
    const wav = at('nan-samples', 'ok.wav');
    const empty = temporaryFolder();
    const score = [CLI, 'score', wav, '--metric', 'dnsmos'];
    const surroundings = [
      { DNSMOS_WEIGHTS: '/nowhere' },
      { DNSMOS_WEIGHTS: empty },
      { DNSMOS_WEIGHTS: '', HF_HUB_OFFLINE: '1', XDG_CACHE_HOME: empty },
      { DNSMOS_WEIGHTS: '', HF_HUB_OFFLINE: '', SPEECH_DPO_PYTHON: '/nowhere', XDG_CACHE_HOME: empty },
    ];
    const ended = await Promise.all(surroundings.map((env) => runScript(node, score, { env })));
    for (const { code, stderr } of ended) {
      expect(stderr).toMatch(/error: .*(DNSMOS|\/nowhere)/);
      expect(code, stderr).toBe(2);
    }
  });

  it('answers of a hub that are none end in a sentence', async () => {
    const evaluate = [CLI, 'eval', 'org/model', '--reward', 'even-token'];
    const html = '<!doctype html><html>Please log in to the network</html>';
    // At once, since a hub that answers wrongly is asked again after a pause.
    const evaluateAt = (endpoint: string) => {
      const env = { HF_ENDPOINT: endpoint, HF_HUB_OFFLINE: '', HF_HOME: temporaryFolder() };
      return runScript(node, evaluate, { env, cwd: temporaryFolder() });
    };
    const bodies = [html, '{}', 'null', '[null]', '{"error":"x"}', '{"id":"org/model"}'];
    const answers = bodies.map(async (body) => {
      const type = body === html ? 'text/html' : 'application/json';
      const { url } = await startServer((_, response) => {
        response.setHeader('Content-Type', type).end(body);
      });
      expectSentence(await evaluateAt(url), /error: .*127\.0\.0\.1/);
    });
    await Promise.all(answers);
    const endpoints = ['hf-mirror.com', '127.0.0.1:9101', 'http://host:99999', 'http://'];
    for (const [i, ended] of (await Promise.all(endpoints.map(evaluateAt))).entries()) {
      expectSentence(ended, /error: .*HF_ENDPOINT/);
      expect(ended.stderr).toContain(endpoints[i]);
    }
  });

  it('takes a tilde for the home folder', async () => {
    const [home, working] = [temporaryFolder(), temporaryFolder()];
    const { url } = await startServer((_, response) => response.writeHead(404).end('{}'));
    const env = { HOME: home, HF_HOME: '~/hf', HF_ENDPOINT: url, HF_HUB_OFFLINE: '' };
    await runScript(node, [CLI, 'eval', 'org/model', '--reward', 'even-token'], { env, cwd: working });
    expect(readdirSync(working)).not.toContain('~');
    const weights = { HOME: home, NISQA_WEIGHTS: '~/nisqa.tar' };
    const wav = at('nan-samples', 'ok.wav');
    const ended = await runScript(node, [CLI, 'score', wav, '--metric', 'nisqa'], { env: weights });
    expectSentence(ended, new RegExp(`NISQA_WEIGHTS|${join(home, 'nisqa.tar')}`));
    expect(ended.stderr).toContain(join(home, 'nisqa.tar'));
  });

  it.runIf(process.platform === 'linux')('bears a standard output that is closed or full', async () => {
    const shell = async (command: string): Promise<Ended> => {
      const script = `const { status, stdout, stderr } = require('node:child_process').spawnSync('bash', ['-c', process.argv[1]], { encoding: 'utf8' });
        process.stdout.write(stdout); process.stderr.write(stderr); process.exitCode = status;`;
      return runScript(node, ['-e', script, command]);
    };
    const cli = `"${node.executable}" "${CLI}"`;
    const closed = await shell(`set -o pipefail; ${cli} --help | true; echo "\${PIPESTATUS[0]}"`);
    expect(closed.stderr).toBe('');
    const wav = at('nan-samples', 'ok.wav');
    const full = await shell(`${cli} score "${wav}" --metric silence > /dev/full`);
    expect(full.stderr).not.toMatch(/^\s+at /m);
    expect(full.code, full.stderr).toBe(74);
  });

  it('runs all cells of a notebook, also after one that may fail, and loses no line', async () => {
    const kernel = await startKernel(node.executable);
    const runAll = async (...notebook: string[]): Promise<string[]> => {
      const { cells } = JSON.parse(readFileSync(at(...notebook), 'utf8')) as {
        cells: { source: string }[];
      };
      const outputs: string[] = [];
      for (const { source } of cells) {
        const { reply, published } = await kernel.execute(source);
        const streams = published.filter(({ type }) => type === 'stream');
        const text = streams.map(({ content }) => content.text as string).join('');
        outputs.push(reply.status === 'ok' ? text : `${reply.status}: ${reply.evalue}`);
      }
      return outputs;
    };
    try {
      const lines = Array.from({ length: 600 }, (_, i) => `line ${i}\n`).join('');
      expect(await runAll('kernel-500-lines-hang', 'lines.ipynb')).toEqual([lines, 'after\n']);
      expect(await runAll('kernel-cells-after-error-skipped', 'raises.ipynb')).toEqual([
        'before\n',
        'error: expected',
        '',
        'next number\n',
        'after\n',
      ]);
    } finally {
      await kernel.close();
    }
  });
});

describe.runIf(CASES)('configurations', () => {
  it('of a saved policy have floats, and say what is in the file, for transformers 5', async () => {
    for (const name of ['transformers5-int-layerdrop', 'transformers5-dtype-left']) {
      const old = JSON.parse(readFileSync(at(name, 'config-as-saved.json'), 'utf8')) as object;
      const config = parseBartConfig({ ...old, ...TINY_CONFIG_JSON }, name);
      const folder = join(temporaryFolder(), 'policy');
      await savePretrained(folder, { architecture: bart, config, weights: tinyWeights(config) });
      const text = readFileSync(join(folder, 'config.json'), 'utf8');
      for (const part of ['encoder', 'decoder']) expect(text).toContain(`"${part}_layerdrop": 0.0`);
      const { dtype = 'float32', torch_dtype } = JSON.parse(text) as Record<string, string>;
      expect([dtype, torch_dtype]).toEqual(['float32', 'float32']);
    }
  });

  it('of an EnCodec tell as many codebooks as its weights have', async () => {
    const config = await readEncodecConfig(at('encodec-codebooks-by-10-bits'));
    expect(codebooksForBandwidth(config, 6, 13, 'it')).toBe(13);
  });
});
