import { writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Codec } from '../../lib/codec/codec.js';
import { openModel, openPolicy } from '../../lib/jobs/open.js';
import { checkSameCodes, findModelPart, loadData, withAbsolutePaths } from '../../lib/jobs/sources.js';
import { openCodec } from '../../lib/codec/open.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { parseBartConfig } from '../../lib/policy/bart/config.js';
import { initializeWeights } from '../../lib/policy/bart/initialize.js';
import { loadPolicy } from '../../lib/policy/policy.js';
import { savePretrained } from '../../lib/policy/pretrained.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { device } from '../support/device.js';
import { randomPolicy } from '../support/random-policy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { tokenizerFolder } from '../support/tokenizer-folder.js';

const policy = randomPolicy(1, { codebooks: 2, codebookSize: 20, positions: 24 });

/** A dataset of one item for each number of source frames; the number is in the instruction. */
function dataset(frames: readonly number[]): string {
  const file = join(temporaryFolder(), 'data.json');
  const items = frames.map((count) => {
    const codes = [Array<number>(count).fill(1), Array<number>(count).fill(2)];
    return { instruction: String(count), src_encodec: codes, tgt_encodec: codes };
  });
  writeFileSync(file, JSON.stringify(items));
  return file;
}

/** Why the policy cannot read 22 frames. */
const TOO_LONG =
  'the prompt "22" has 27 ids (2 of text, 22 codes), more than the model\'s 24 positions: use a recording of at most 19 frames';

describe('loadData', () => {
  it('takes train and then test items, without those that are too long for the model', async () => {
    const file = dataset([3, 22, 4, 19, 5, 6]);
    const notices: string[] = [];
    const onNotice = (notice: string) => void notices.push(notice);
    const { train, test } = await loadData(file, policy, { train: 2, test: 2 }, { onNotice });
    expect(train.map(({ instruction }) => instruction)).toEqual(['3', '4']);
    expect(test.map(({ instruction }) => instruction)).toEqual(['19', '5']);
    expect(notices).toEqual([
      `${file}: the policy cannot read 1 of the first 5 items, and they are left out; the first is item 1: ${TOO_LONG}`,
    ]);
    await loadData(dataset([3, 4]), policy, { train: 1, test: 1 }, { onNotice });
    expect(notices).toHaveLength(1);
  });

  it('says when a dataset has too few', async () => {
    const file = dataset([3, 22]);
    await expect(loadData(file, policy, { train: 1, test: 1 })).rejects.toThrow(
      `${file} has too few items: the policy can read 1 of its 2 (up to ${policy.config.max_position_embeddings} ids), and 1 train and 1 test prompts are asked for; the first that it cannot read is item 1: ${TOO_LONG}.`,
    );
  });
});

it('a reason that is a whole sentence does not end in two full stops', async () => {
  const encodeText = () => {
    throw new Error('no id.');
  };
  const wordless = { ...policy, tokenizer: { ...policy.tokenizer, encodeText } };
  await expect(loadData(dataset([3]), wordless, { train: 1, test: 0 })).rejects.toThrow(
    /is item 0: no id\.$/,
  );
});

it('parts of the model come from its folder unless they are named', async () => {
  const folder = temporaryFolder();
  const model = resolve('models/default');
  expect(await findModelPart({ model, nar: null }, 'nar')).toBe(join(model, 'nar'));
  for (const other of ['nowhere', folder])
    await expect(findModelPart({ model: other }, 'nar')).rejects.toThrow(
      `${other} is no folder of a model: it must have policy/, nar/, codec/ and prompts.json in it`,
    );
  expect(await findModelPart({ model: 'm', codec: folder }, 'codec')).toBe(folder);
  for (const part of ['policy', 'nar', 'codec'] as const)
    expect(await findModelPart({ model: 'm', [part]: 'default' }, part)).toBe(
      resolve('models/default', part),
    );
  await expect(findModelPart({ model: 'm', policy: './nowhere' }, 'policy')).rejects.toThrow(
    './nowhere does not exist; give a file or folder, or a name on the hub',
  );
});

it.each(['policy', 'nar', 'codec'] as const)(
  "a whole model's folder is no %s, and the part in it is named",
  async (part) => {
    const folder = resolve('models', 'default');
    await expect(findModelPart({ model: 'm', [part]: folder }, part)).rejects.toThrow(
      `${folder} is the folder of a whole model: give its part ${join(folder, part)}`,
    );
  },
);

it('says so also where a program opens it', async () => {
  const folder = resolve('models', 'default');
  const refused = `${folder} is the folder of a whole model: give its part `;
  await expect(loadPolicy(folder)).rejects.toThrow(refused + join(folder, 'policy'));
  await expect(openCodec(folder, device)).rejects.toThrow(refused + join(folder, 'codec'));
});

it.each(['prompts', 'data'])(
  'a run is recorded with paths that hold in any working directory: %s',
  (name) => {
    const folder = temporaryFolder();
    const paths = { model: folder, policy: folder, nar: folder, codec: folder, transcriber: folder };
    const absolute = { ...paths, [name]: dataset([3]) };
    const given = Object.fromEntries(
      Object.entries(absolute).map(([key, path]) => [key, relative('', path)]),
    );
    expect(withAbsolutePaths(parseParameters(given))).toEqual(parseParameters(absolute));
    const named = { model: 'default', policy: 'organisation/name@main', [name]: 'organisation/data' };
    expect(withAbsolutePaths(parseParameters(named))).toEqual(parseParameters(named));
  },
);

it('models that write other codes are refused', () => {
  const codec = { codebooks: 2, codebookSize: 20 } as Codec;
  expect(() => checkSameCodes(policy, policy, codec)).not.toThrow();
  expect(() => checkSameCodes(policy, policy, { ...codec, codebooks: 8 })).toThrow(
    'the policy writes 2 codebooks of 20 codes, but the codec has 8 codebooks of 20 codes: choose ones that go together.',
  );
});

it('of an EnCodec that has more codebooks a model uses as many as its policy has', async () => {
  const codes = { codebooks: 1, codebookSize: 64 };
  const nar = temporaryFolder();
  const of = { vocab_size: 400, codebooks: 1, codebook_size: 64, partner: true };
  const config = parseBartConfig({ ...policy.config, ...of }, 'the partner');
  await savePretrained(nar, {
    ...{ architecture: bart, config, weights: initializeWeights(config, 1) },
    copyTokenizerFrom: tokenizerFolder({ codes: 64 }),
  });
  const sources = parseParameters({ nar, codec: resolve('test', 'fixtures', 'encodec', 'reflect') });
  await using model = await openModel(randomPolicy(1, codes), sources, { device, speaks: true });
  expect(model.codec.codebooks).toBe(1);
});

it('a model is not opened with a codec for other codes', async () => {
  const sources = parseParameters({});
  const codec = { codebooks: 3, codebookSize: 20, sampleRateHz: 8000, decode: () => undefined };
  const options = { device, speaks: true, codec: codec as unknown as Codec } as const;
  await expect(openModel(await openPolicy(sources), sources, options)).rejects.toThrow(
    'but the codec has 3 codebooks of 20 codes: choose ones that go together.',
  );
});
