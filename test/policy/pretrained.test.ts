import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SHARED_EMBEDDING } from '../../lib/policy/bart/weights.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { freeArrays } from '../../lib/engine/free-arrays.js';
import { savePolicy } from '../../lib/policy/policy.js';
import { loadPretrained, savePretrained } from '../../lib/policy/pretrained.js';
import { checkTokenizerFiles } from '../../lib/policy/tokenizer-files.js';
import { readSafetensors, writeSafetensors } from '../../lib/checkpoint/safetensors.js';
import type { HostTensor } from '../../lib/engine/host-tensor.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { sharedPath } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { TINY_CONFIG_JSON, tinyConfig, tinyWeights } from '../support/tiny-bart.js';

const CONFIG = tinyConfig();
const WEIGHTS = tinyWeights(CONFIG);

/** A folder with config.json and the given tensors, not necessarily right ones. */
async function folderWith(
  tensors: Map<string, HostTensor>,
  config: object = TINY_CONFIG_JSON,
): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  return folder;
}

const changed = (change: (weights: Map<string, HostTensor>) => void): Map<string, HostTensor> => {
  const copy = new Map<string, HostTensor>(WEIGHTS);
  change(copy);
  return copy;
};

describe('savePretrained and loadPretrained', () => {
  test.each(['float32', 'float16'] as const)(
    'give back configuration and weights, stored as %s',
    async (dtype) => {
      const folder = join(temporaryFolder(), 'deep', 'dpo_model');
      const config = tinyConfig({ id2label: { 0: 'LABEL_0' }, speech: [1, { b: 2, a: 1 }] });
      await savePretrained(folder, { architecture: bart, config, weights: WEIGHTS, dtype });
      expect(readdirSync(folder).sort()).toEqual([
        'SHA256SUMS',
        'config.json',
        'generation_config.json',
        'model.safetensors',
      ]);
      const { architecture, ...read } = await loadPretrained(folder);
      expect(architecture).toBe(bart);
      expect(read).toEqual({
        config: { ...config, dtype, torch_dtype: dtype },
        weights: WEIGHTS,
      });
    },
  );

  test('write JSON and metadata as transformers does', async () => {
    const folder = join(temporaryFolder(), 'model');
    await savePretrained(folder, { architecture: bart, config: CONFIG, weights: WEIGHTS });
    const text = readFileSync(join(folder, 'config.json'), 'utf8');
    expect(text).toMatch(/^\{\n {2}"activation_dropout": 0.0,\n {2}"activation_function": "gelu",\n/);
    expect(text).toMatch(/\n\}\n$/);
    expect(JSON.parse(readFileSync(join(folder, 'generation_config.json'), 'utf8'))).toEqual({
      _from_model_config: true,
      bos_token_id: 0,
      pad_token_id: 1,
      eos_token_id: 2,
      decoder_start_token_id: 2,
    });
    expect(readFileSync(join(folder, 'model.safetensors')).subarray(8, 60).toString()).toContain(
      '{"__metadata__":{"format":"pt"}',
    );
  });

  test('keep floats floats, and say which numbers are in the file, whatever the source said', async () => {
    const source = await folderWith(WEIGHTS);
    const text = JSON.stringify({ ...TINY_CONFIG_JSON, dtype: 'bfloat16', torch_dtype: null });
    const further = '"speech": {"gain": 2.0, "rate": 2}, "classifier_dropout": 0.0, "encoder_layerdrop": 0,';
    writeFileSync(join(source, 'config.json'), text.replace('{', `{${further}`));
    const folder = join(temporaryFolder(), 'model');
    const { config, weights } = await loadPretrained(source);
    for (const dtype of ['float16', 'float32'] as const) {
      await savePretrained(folder, { architecture: bart, config, weights, dtype });
      const saved = readFileSync(join(folder, 'config.json'), 'utf8');
      expect(saved).toContain('"speech": {\n    "gain": 2.0,\n    "rate": 2\n  }');
      for (const key of ['classifier_dropout', 'encoder_layerdrop', 'decoder_layerdrop', 'attention_dropout'])
        expect(saved).toContain(`"${key}": 0.0,\n`);
      expect(JSON.parse(saved)).toMatchObject({ dtype, torch_dtype: dtype });
    }
  });

  test('bring the tokenizer along', async () => {
    const source = temporaryFolder();
    for (const name of ['tokenizer.json', 'vocab.json', 'notes.txt']) writeFileSync(join(source, name), name);
    const folder = join(temporaryFolder(), 'model');
    await savePretrained(folder, {
      architecture: bart,
      config: CONFIG,
      weights: WEIGHTS,
      copyTokenizerFrom: source,
    });
    expect(readFileSync(join(folder, 'vocab.json'), 'utf8')).toBe('vocab.json');
    expect(readdirSync(folder)).not.toContain('notes.txt');
    const other = join(temporaryFolder(), 'other');
    const saving = savePretrained(other, {
      architecture: bart,
      config: CONFIG,
      weights: WEIGHTS,
      copyTokenizerFrom: temporaryFolder(),
    });
    await expect(saving).rejects.toThrow('has no tokenizer.json to copy.');
    expect(readdirSync(join(other, '..'))).toEqual([]);
  });

  test('take no file of another name along to which a link leads out of the folder, unless into the cache of a hub', async () => {
    const [source, cache] = [temporaryFolder(), temporaryFolder()];
    const blob = join(cache, 'blobs', '0123456789'.repeat(4));
    mkdirSync(join(cache, 'blobs'));
    const merges = join(cache, 'merges.txt');
    for (const path of [blob, merges, join(cache, 'secret'), join(source, 'real.json')])
      writeFileSync(path, '{}');
    symlinkSync(merges, join(source, 'merges.txt'));
    symlinkSync(blob, join(source, 'tokenizer.json'));
    symlinkSync('real.json', join(source, 'vocab.json'));
    const save = (name: string) =>
      savePretrained(join(temporaryFolder(), name), {
        ...{ architecture: bart, config: CONFIG, weights: WEIGHTS, copyTokenizerFrom: source },
      });
    await save('model');
    const link = join(source, 'special_tokens_map.json');
    symlinkSync(join(cache, 'secret'), link);
    const refusal = `${link} is a link that leads out of its folder, to ${join(cache, 'secret')}`;
    await expect(save('model')).rejects.toThrow(refusal);
    // Before anything is trained.
    await expect(checkTokenizerFiles(source, 'none')).rejects.toThrow(refusal);
  });

  test('replace an older checkpoint, its own tokenizer kept, but no other folder', async () => {
    const parent = temporaryFolder();
    const folder = join(parent, 'model');
    mkdirSync(folder);
    writeFileSync(join(folder, 'tokenizer.json'), '{}');
    for (const init_std of [0.1, 0.2]) {
      await savePretrained(folder, {
        architecture: bart,
        config: tinyConfig({ init_std }),
        weights: WEIGHTS,
        copyTokenizerFrom: folder,
      });
      expect((await loadPretrained(folder)).config.init_std).toBe(init_std);
      expect(readdirSync(folder)).toContain('tokenizer.json');
    }
    expect(readdirSync(parent)).toEqual(['model']);
    writeFileSync(join(folder, 'thesis.tex'), '');
    await expect(
      savePretrained(folder, { architecture: bart, config: CONFIG, weights: WEIGHTS }),
    ).rejects.toThrow(
      `cannot write to ${folder}: it holds thesis.tex, no file of a checkpoint; choose another (on the command line: --output).`,
    );
    expect(readdirSync(folder)).toContain('thesis.tex');
  });

  test('look at the very folder that they replace, and replace none that is not named', async () => {
    const parent = temporaryFolder();
    writeFileSync(join(parent, 'thesis.tex'), '');
    const notes = temporaryFolder();
    writeFileSync(join(notes, 'README.md'), '');
    const before = process.cwd();
    process.chdir(parent);
    try {
      for (const [folder, refusal] of [
        [`${parent}/missing/..`, `cannot write to ${parent}: it holds thesis.tex`],
        [notes, `cannot write to ${notes}: it holds README.md`],
        ['', 'the folder to write has an empty name: give it one.'],
      ])
        await expect(
          savePretrained(folder, { architecture: bart, config: CONFIG, weights: WEIGHTS }),
        ).rejects.toThrow(refusal);
    } finally {
      process.chdir(before);
    }
    expect(readdirSync(parent)).toEqual(['thesis.tex']);
  });

  test('leave a file that has their name', async () => {
    const file = join(temporaryFolder(), 'votes.json');
    writeFileSync(file, 'mine');
    await expect(
      savePretrained(file, { architecture: bart, config: CONFIG, weights: WEIGHTS }),
    ).rejects.toThrow(
      `cannot write to ${file}: a part of the path is a file; choose another (on the command line: --output).`,
    );
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('say so where a training has freed the weights', async () => {
    const folder = join(temporaryFolder(), 'model');
    const policy = randomPolicy(5);
    const weights = copyWeights(policy.weights);
    await freeArrays([...weights.values()].map(({ data }) => data));
    await expect(savePolicy({ ...policy, weights }, folder)).rejects.toThrow(
      /^the weight \S+ is empty: a training was told keepsWeights: false/,
    );
  });

  test('write nothing when the weights are not those of the configuration', async () => {
    const parent = temporaryFolder();
    const weights = changed((tensors) => tensors.delete('model.encoder.layers.0.fc1.bias'));
    await expect(
      savePretrained(join(parent, 'model'), { architecture: bart, config: CONFIG, weights }),
    ).rejects.toThrow('the weights lack tensor "model.encoder.layers.0.fc1.bias" of shape [8].');
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe('loadPretrained reads', () => {
  test('shards by their index', async () => {
    const folder = await folderWith(new Map());
    const names = [...WEIGHTS.keys()];
    const fileOf = (name: string): string =>
      `model-0000${1 + (names.indexOf(name) % 2)}-of-00002.safetensors`;
    const weight_map = Object.fromEntries(names.map((name) => [name, fileOf(name)]));
    for (const file of new Set(Object.values(weight_map))) {
      await writeSafetensors(
        join(folder, file),
        new Map([...WEIGHTS].filter(([name]) => fileOf(name) === file)),
      );
    }
    const index = join(folder, 'model.safetensors.index.json');
    const writeIndex = (map: Record<string, string>): void =>
      writeFileSync(index, JSON.stringify({ metadata: {}, weight_map: map }));
    rmSync(join(folder, 'model.safetensors'));

    writeIndex(weight_map);
    expect((await loadPretrained(folder)).weights).toEqual(WEIGHTS);
    writeIndex({ ...weight_map, further: fileOf(names[0]!) });
    await expect(loadPretrained(folder)).rejects.toThrow('lacks tensor "further"');
    const { [names[0]!]: _, ...others } = weight_map;
    writeIndex(others);
    await expect(loadPretrained(folder)).rejects.toThrow(
      `holds tensor "${names[0]}", which ${index} does not place there.`,
    );
    writeIndex({ ...weight_map, further: '../model.safetensors' });
    await expect(loadPretrained(folder)).rejects.toThrow(
      'must map tensor names to weight files of the same folder',
    );
  });

  test.each(['model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight', 'lm_head.weight'])(
    'the shared embedding under %s, alone or repeated',
    async (alias) => {
      const shared = WEIGHTS.get(SHARED_EMBEDDING)!;
      const repeated = changed((tensors) => tensors.set(alias, shared));
      expect((await loadPretrained(await folderWith(repeated))).weights).toEqual(WEIGHTS);
      repeated.delete(SHARED_EMBEDDING);
      expect((await loadPretrained(await folderWith(repeated))).weights).toEqual(WEIGHTS);
      const other = changed((tensors) =>
        tensors.set(alias, { ...shared, data: shared.data.map((x) => x + 1) }),
      );
      await expect(loadPretrained(await folderWith(other))).rejects.toThrow(
        `${alias} differs from the embedding it is tied to`,
      );
    },
  );

  test('zeros where final_logits_bias is missing', async () => {
    const folder = await folderWith(changed((tensors) => tensors.delete('final_logits_bias')));
    const { weights } = await loadPretrained(folder);
    expect(weights.get('final_logits_bias')).toEqual({
      shape: [1, 11],
      dtype: 'float32',
      data: new Float32Array(11),
    });
  });

  test.each(['model.encoder.version', 'decoder.version'])(
    '%s, which old files have, passed over',
    async (name) => {
      const version: HostTensor = { shape: [1], dtype: 'float32', data: Float32Array.of(3) };
      const folder = await folderWith(changed((tensors) => tensors.set(name, version)));
      expect((await loadPretrained(folder)).weights).toEqual(WEIGHTS);
    },
  );

  test('a bare BartModel, whose names have no "model."', async () => {
    const bare = new Map([...WEIGHTS].map(([name, tensor]) => [name.replace(/^model\./, ''), tensor]));
    expect((await loadPretrained(await folderWith(bare))).weights).toEqual(WEIGHTS);
  });
});

describe('loadPretrained refuses', () => {
  test('a file, and what is not there', async () => {
    const file = join(await folderWith(WEIGHTS), 'config.json');
    await expect(loadPretrained(file)).rejects.toThrow(
      `${file} is no folder: give the folder of a BART checkpoint.`,
    );
    await expect(loadPretrained('nowhere')).rejects.toThrow(
      'nowhere does not exist: give the folder of a BART checkpoint.',
    );
  });

  const vector: HostTensor = { shape: [4], dtype: 'float32', data: new Float32Array(4) };

  test.each<[string, (tensors: Map<string, HostTensor>) => unknown, string]>([
    [
      'a missing tensor',
      (tensors) => tensors.delete('model.decoder.layers.0.encoder_attn.k_proj.weight'),
      'the weights lack tensor "model.decoder.layers.0.encoder_attn.k_proj.weight" of shape [4, 4].',
    ],
    [
      'a tensor of another shape',
      (tensors) => tensors.set('model.encoder.layers.0.fc1.bias', vector),
      'tensor "model.encoder.layers.0.fc1.bias" has shape [4], config.json asks for [8].',
    ],
    [
      'integers',
      (tensors) =>
        tensors.set('model.encoder.layers.0.fc2.bias', {
          shape: [4],
          dtype: 'int64',
          data: new BigInt64Array(4),
        }),
      'tensor "model.encoder.layers.0.fc2.bias" holds integers instead of floats.',
    ],
    [
      'tensors that BART does not have',
      (tensors) => tensors.set('model.encoder.layers.1.fc2.bias', vector).set('classifier', vector),
      'and 1 more is not part of the BART that config.json describes.',
    ],
  ])('%s', async (_, change, message) => {
    const folder = await folderWith(changed(change));
    await expect(loadPretrained(folder)).rejects.toThrow(message);
    await expect(loadPretrained(folder)).rejects.toThrow(folder);
  });

  test('a folder without weights, without configuration, or that does not exist', async () => {
    const folder = temporaryFolder();
    await expect(loadPretrained(join(folder, 'no'))).rejects.toThrow(`${join(folder, 'no')} does not exist`);
    await expect(loadPretrained(folder)).rejects.toThrow(`${join(folder, 'config.json')} does not exist.`);
    writeFileSync(join(folder, 'config.json'), '{');
    await expect(loadPretrained(folder)).rejects.toThrow(`${join(folder, 'config.json')} is not valid JSON`);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(TINY_CONFIG_JSON));
    await expect(loadPretrained(folder)).rejects.toThrow(
      `${folder} has no weights: neither model.safetensors nor`,
    );
  });
});

const golden = sharedPath('golden/bart/tiny_bart');

describe.skipIf(!golden)('a folder of transformers', () => {
  test('is written back with the same configuration, and the same bytes of weights', async () => {
    const folder = join(temporaryFolder(), 'copy');
    await savePretrained(folder, { ...(await loadPretrained(golden!)), copyTokenizerFrom: golden! });
    const lines = (of: string): string[] => readFileSync(join(of, 'config.json'), 'utf8').trim().split('\n');
    expect(lines(folder).filter((line) => !line.startsWith('  "dtype":'))).toEqual(lines(golden!));
    const bytes = (of: string, name: string): Buffer => readFileSync(join(of, name));
    for (const name of ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
      expect(bytes(folder, name).equals(bytes(golden!, name))).toBe(true);
    }
    expect((await readSafetensors(join(folder, 'model.safetensors'))).size).toBe(92);
  });
});
