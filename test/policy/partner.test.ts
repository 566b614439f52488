import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Codes } from '../../lib/codec/codec.js';
import { compile, tf } from '../../lib/engine/index.js';
import type { BartConfig } from '../../lib/policy/bart/config.js';
import { decode, encode, logits } from '../../lib/policy/bart/network.js';
import {
  codebookIds,
  openPartner,
  packPartnerSource,
  packPartnerTarget,
  type PartnerItem,
} from '../../lib/policy/partner.js';
import type { Policy } from '../../lib/policy/policy.js';
import { uniformStream } from '../../lib/random.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

const CODEBOOKS = 3;
const CODEBOOK_SIZE = 10;
const nar = randomPolicy(4, { codebooks: CODEBOOKS, codebookSize: CODEBOOK_SIZE, positions: 70 });

/** The same, named as the research code's partner names itself. */
const original: Policy<BartConfig> = {
  ...nar,
  config: { ...nar.config, architectures: ['NARBartForConditionalGeneration'] },
};

const partner = openPartner(nar, device);
afterAll(() => partner.dispose());

function randomItem(key: number, sourceFrames: number, frames: number): PartnerItem {
  const uniform = uniformStream(9, key);
  const codes = (count: number) => Array.from({ length: count }, () => Math.floor(CODEBOOK_SIZE * uniform()));
  const source = Array.from({ length: CODEBOOKS }, () => codes(sourceFrames));
  return { instruction: 'slower'.slice(key % 4), source, codebook0: codes(frames) };
}

const items = [randomItem(0, 4, 7), randomItem(1, 40, 3), randomItem(2, 9, 1), randomItem(3, 20, 33)];

/** Codebook by codebook with plain forward passes of one item, on TensorFlow.js's JavaScript backend. */
async function fillPlainly({ instruction, source, codebook0 }: PartnerItem, model = nar): Promise<Codes> {
  const written: number[][] = [[...codebook0]];
  while (written.length < CODEBOOKS) {
    const codebook = written.length;
    const reading =
      model === original
        ? { source: [codebook], target: [codebook - 1] }
        : { source: [...source.keys()], target: [...written.keys()] };
    const positions = packPartnerSource(nar, instruction, source, reading.source);
    const each = reading.target.length;
    const run = await compile(
      (w) => {
        const encoded = encode(model.config, w, padded(positions), tf.zeros([1, positions.length]));
        const ids = tf.tensor3d(
          [packPartnerTarget(nar, written, reading.target)],
          [1, codebook0.length, each],
          'int32',
        );
        const decoder = {
          ids,
          encoded,
          encoderMask: tf.zeros([1, positions.length]),
          selfMask: tf.zeros([1, 1, 1, 1]),
        };
        return { scores: logits(w, decode(model.config, w, decoder)) };
      },
      {},
      {
        device: 'eager',
        constants: Object.fromEntries(
          [...model.weights].map(([name, { shape, data }]) => [name, { shape, data: data as Float32Array }]),
        ),
      },
    );
    const { scores } = await run({});
    const vocabulary = nar.config.vocab_size;
    const [first] = codebookIds(nar, written.length);
    written.push(
      codebook0.map((_, frame) => {
        const start = frame * vocabulary + first;
        const row = Array.from(scores.subarray(start, start + CODEBOOK_SIZE));
        return row.indexOf(Math.max(...row));
      }),
    );
  }
  return written.slice(1);
}

function padded(positions: number[][]) {
  const ids = positions.map((position) => [
    ...position,
    ...Array<number>(CODEBOOKS - position.length).fill(1),
  ]);
  return tf.tensor3d([ids], [1, positions.length, CODEBOOKS], 'int32');
}

describe('the non-autoregressive partner', () => {
  it('writes what plain forward passes of each item write, whatever shares its batch', async () => {
    const together = await partner.fill(items);
    const plainly = await Promise.all(items.map((item) => fillPlainly(item)));
    expect(together).toEqual(plainly);
    for (const [i, item] of items.entries()) expect(await partner.fill([item])).toEqual([plainly[i]]);
    expect(await partner.fill([items[3], items[0]])).toEqual([plainly[3], plainly[0]]);
  });

  it('tells prompts apart that have the recording or the instruction in common', async () => {
    const [item, , other] = items;
    const related = [item, { ...item, instruction: 'lower' }, { ...item, source: other.source }];
    const plainly = await Promise.all(related.map((each) => fillPlainly(each)));
    expect(await partner.fill(related)).toEqual(plainly);
    expect(new Set(plainly.map(String)).size).toBe(3);
  });

  it('scales its embeddings where config.json says so', async () => {
    const scaled = { ...nar, config: { ...nar.config, scale_embedding: true } };
    const scaling = openPartner(scaled, device);
    const together = await scaling.fill(items);
    await scaling.dispose();
    expect(together).toEqual(await Promise.all(items.map((item) => fillPlainly(item, scaled))));
    expect(together).not.toEqual(await partner.fill(items));
  });

  it('leaves the vector of pad out of every sum', async () => {
    const weights = copyWeights(nar.weights);
    const { pad_token_id: pad, d_model: width } = nar.config;
    // Not the same in all places, which a layer norm would take away.
    const vector = Float32Array.from({ length: width }, (_, i) => 3 * (-1) ** i);
    weights.get('model.shared.weight')!.data.set(vector, pad * width);
    const filling = openPartner({ ...nar, weights }, device);
    const filled = await filling.fill(items);
    await filling.dispose();
    expect(filled).toEqual(await partner.fill(items));
  });

  it("reads one codebook at a time where it is the research code's", async () => {
    const originalPartner = openPartner(original, device);
    const together = await originalPartner.fill(items);
    await originalPartner.dispose();
    expect(together).toEqual(await Promise.all(items.map((item) => fillPlainly(item, original))));
    expect(together).not.toEqual(await partner.fill(items));
  });

  it('writes every codebook but the first, as long as the first, with codes in range', async () => {
    const filled = await partner.fill(items);
    filled.forEach((codes, i) => {
      expect(codes.map((codebook) => codebook.length)).toEqual([
        items[i].codebook0.length,
        items[i].codebook0.length,
      ]);
      for (const code of codes.flat()) expect(code >= 0 && code < CODEBOOK_SIZE).toBe(true);
    });
    expect(new Set(filled.flat(2)).size).toBeGreaterThan(3);
  });

  it('takes more items than a batch holds, and items without frames', async () => {
    const many = Array.from({ length: 20 }, (_, i) =>
      i % 7 === 3 ? { ...items[0], codebook0: [] } : items[i % 3],
    );
    const filled = await partner.fill(many);
    const [first, second, third] = await partner.fill(items.slice(0, 3));
    expect(filled).toEqual(
      many.map((item, i) => (item.codebook0.length === 0 ? [[], []] : [first, second, third][i % 3])),
    );
  });

  it('has nothing to write where no item has frames', async () => {
    const empty = items.map((item) => ({ ...item, codebook0: [] }));
    expect(await partner.fill(empty)).toEqual(empty.map(() => [[], []]));
  });

  it('fills as many frames as it has positions, and refuses more', async () => {
    const { maxFrames } = partner;
    expect(maxFrames).toBe(nar.config.max_position_embeddings);
    const all = randomItem(4, maxFrames - 'slower'.length - 3, maxFrames);
    expect(await partner.fill([all])).toEqual([await fillPlainly(all)]);
    const long = { ...items[0], codebook0: Array<number>(maxFrames + 1).fill(1) };
    await expect(partner.fill([items[0], long, items[1]])).rejects.toThrow(
      `a completion of ${maxFrames + 1} codes is longer than the partner's ${maxFrames} positions: take a maxNewTokens of at most ${maxFrames}`,
    );
  });

  it('stops when aborted', async () => {
    const aborted = partner.fill(items, AbortSignal.abort(new Error('stop')));
    await expect(aborted).rejects.toThrow('stop');
  });
});

describe('packing', () => {
  it('puts the instruction at a position each, and all codebooks of a frame at one', () => {
    const [text] = nar.tokenizer.encodeText('a');
    const source = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    expect(packPartnerSource(nar, 'a', source)).toEqual([[0], [text], [2], [13, 25, 37], [14, 26, 38], [2]]);
    expect(packPartnerTarget(nar, source.slice(0, 2))).toEqual([
      [13, 25],
      [14, 26],
    ]);
    expect([...codebookIds(nar, 2)]).toEqual([32, 33, 34, 35, 36, 37, 38, 39, 40, 41]);
  });

  it('says when a recording has too many frames', () => {
    const source = Array.from({ length: CODEBOOKS }, () => Array<number>(80).fill(0));
    expect(() => packPartnerSource(nar, 'aa', source)).toThrow(
      '"aa" with 80 frames needs 85 positions, and the partner has 70',
    );
  });
});
