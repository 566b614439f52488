/** One forward pass, greedy decoding and the sampling rules against transformers. */
import { compile, tf, type Device, type HostArray } from '../engine/index.js';
import type { Model } from '../policy/architecture.js';
import type { BartConfig } from '../policy/bart/config.js';
import { decode, encode, logits } from '../policy/bart/network.js';
import { openCompletionWriter } from '../policy/generate.js';
import { labelLogProbs } from '../policy/log-probs.js';
import { attentionMask, causalMask, lengthMask, MASKED } from '../policy/padding.js';
import { argMax, warp } from '../policy/warp.js';
import type { ForwardGolden, NarGolden } from './golden.js';
import { heldToNoise, NO_NOISE, type Noise } from './noise.js';
import { equalRow, largestDifference, type VerifyRow } from './rows.js';

/** What the goldens are of. */
export type Bart = Model<BartConfig>;

/** Of float32: transformers' own float32 and float64 differ by 1.4e-6 here. */
const FORWARD_TOLERANCE = 2e-5;
const PROBABILITY_TOLERANCE = 2e-5;
const IGNORED_LABEL = -100;

const constantsOf = (weights: Bart['weights']) =>
  Object.fromEntries(
    [...weights].map(([name, { shape, data }]) => [name, { shape, data: data as HostArray }]),
  );

export async function verifyForward(
  model: Bart,
  golden: ForwardGolden,
  device: Device,
  { forward: noise }: Noise = NO_NOISE,
): Promise<VerifyRow[]> {
  const source = golden.input_ids[0].length;
  const target = golden.decoder_input_ids[0].length;
  const open = golden.attention_mask.map((mask) => mask.filter((value) => value === 1));
  const run = await compileForward(model, golden, device);
  const results = await run({
    ids: Int32Array.from(golden.input_ids.flat()),
    mask: attentionMask(open, source),
    decoderIds: Int32Array.from(golden.decoder_input_ids.flat()),
    labels: Int32Array.from(golden.labels.flat(), (label) => Math.max(label, 0)),
    causal: causalMask(target),
  }).finally(() => run.dispose());
  const labelled = golden.labels.map((labels) => labels.filter((label) => label !== IGNORED_LABEL));
  const sourceOpen = lengthMask(open, source, 1, 0);
  const targetOpen = lengthMask(labelled, target, 1, 0);
  const sums = golden.labels.map((_, row) =>
    labelled[row].reduce((total, _label, i) => total + results.logps[row * target + i], 0),
  );
  const encoded = golden.encoder_last_hidden_state.flat(2);
  const logps = golden.per_token_logps.flat();
  return [
    heldToNoise(
      largestDifference('encoder output', results.encoded, encoded, FORWARD_TOLERANCE, sourceOpen),
      noise.encoder_last_hidden_state,
    ),
    heldToNoise(
      largestDifference('logits', results.logits, golden.logits.flat(2), FORWARD_TOLERANCE, targetOpen),
      noise.logits,
    ),
    heldToNoise(
      largestDifference('token log-probabilities', results.logps, logps, FORWARD_TOLERANCE, targetOpen),
      noise.per_token_logps,
    ),
    heldToNoise(
      largestDifference('sequence log-probabilities', sums, golden.sum_logps, 2e-4),
      noise.sum_logps,
    ),
    ...golden.sampling_warpers.map((expected) =>
      verifyWarper(expected, results.logits, target, model.config.vocab_size),
    ),
  ];
}

/** Encoder, decoder and log-probabilities as one program of the golden batch's shape. */
function compileForward({ config, weights }: Bart, golden: ForwardGolden, device: Device) {
  const rows = golden.input_ids.length;
  const source = golden.input_ids[0].length;
  const target = golden.decoder_input_ids[0].length;
  return compile(
    (w) => {
      const encoded = encode(config, w, w.ids, w.mask);
      const hidden = decode(config, w, {
        ids: w.decoderIds,
        encoded,
        encoderMask: w.mask,
        selfMask: w.causal,
      });
      const scores = logits(w, tf.reshape(hidden, [rows * target, config.d_model]));
      return { encoded, logits: scores, logps: labelLogProbs(scores, w.labels) };
    },
    {
      ids: { shape: [rows, source], dtype: 'int32' },
      mask: { shape: [rows, source], dtype: 'float32' },
      decoderIds: { shape: [rows, target], dtype: 'int32' },
      labels: { shape: [rows * target], dtype: 'int32' },
      causal: { shape: [target, target], dtype: 'float32' },
    },
    { device, constants: constantsOf(weights) },
  );
}

function verifyWarper(
  expected: ForwardGolden['sampling_warpers'][number],
  scores: HostArray,
  target: number,
  vocabulary: number,
): VerifyRow {
  const {
    temperature,
    top_k: topK,
    top_p: topP,
    logits_row: [row, position],
  } = expected;
  const start = (row * target + position) * vocabulary;
  const { indices, probabilities } = warp(scores.slice(start, start + vocabulary) as Float32Array, {
    temperature,
    topK,
    topP,
  });
  const byId = new Map(Array.from(indices, (id, i) => [id, probabilities[i]]));
  const name = `sampling, temperature ${temperature}, top-k ${topK}, top-p ${topP}`;
  const sameIds = byId.size === expected.kept_ids.length && expected.kept_ids.every((id) => byId.has(id));
  if (!sameIds) return equalRow(`${name}: kept ids`, false);
  return largestDifference(
    name,
    expected.kept_ids.map((id) => byId.get(id)!),
    expected.probs,
    PROBABILITY_TOLERANCE,
  );
}

/** Greedy decoding with the key-value cache, every id of the vocabulary allowed. */
export async function verifyGreedy(model: Bart, golden: ForwardGolden, device: Device): Promise<VerifyRow> {
  const prompts = golden.input_ids.map((ids, row) =>
    ids.filter((_, i) => golden.attention_mask[row][i] === 1),
  );
  const written: number[][] = [];
  const vocabulary = {
    prefix: [],
    allowed: Int32Array.from({ length: model.config.vocab_size }, (_, id) => id),
  };
  const writer = openCompletionWriter(model, vocabulary, device);
  try {
    const steps = writer.generate(prompts, {
      samplesPerPrompt: 1,
      maxNewTokens: 24,
      choose: (_row, scores) => argMax(scores),
    });
    for await (const { ended } of steps) for (const { row, ids } of ended) written[row] = ids;
  } finally {
    await writer.release();
  }
  const expected = golden.greedy_max_new_24.map((ids) =>
    withoutPadding(ids.slice(1), model.config.pad_token_id),
  );
  return equalRow('greedy ids', JSON.stringify(written) === JSON.stringify(expected));
}

function withoutPadding(ids: number[], pad: number): number[] {
  const end = ids.findLastIndex((id) => id !== pad);
  return ids.slice(0, end + 1);
}

/** The bidirectional decoder of the non-autoregressive partner. */
export async function verifyPartner(
  { config, weights }: Bart,
  golden: NarGolden,
  device: Device,
  noise = NO_NOISE,
): Promise<VerifyRow> {
  const rows = golden.input_ids.length;
  const source = golden.input_ids[0].length;
  const target = golden.decoder_input_ids[0].length;
  const run = await compile(
    (w) => {
      const encoded = encode(config, w, w.ids, w.mask);
      const hidden = decode(config, w, { ids: w.decoderIds, encoded, encoderMask: w.mask, selfMask: w.open });
      return { logits: logits(w, hidden) };
    },
    {
      ids: { shape: [rows, source], dtype: 'int32' },
      mask: { shape: [rows, source], dtype: 'float32' },
      decoderIds: { shape: [rows, target], dtype: 'int32' },
      open: { shape: [rows, 1, 1, target], dtype: 'float32' },
    },
    { device, constants: constantsOf(weights) },
  );
  // The golden batch has padding where rows are shorter than the longest: none in the published one.
  const mask = Float32Array.from(golden.input_ids.flat(), (id) => (id === config.pad_token_id ? MASKED : 0));
  const results = await run({
    ids: Int32Array.from(golden.input_ids.flat()),
    mask,
    decoderIds: Int32Array.from(golden.decoder_input_ids.flat()),
    open: new Float32Array(rows * target),
  }).finally(() => run.dispose());
  const expected = golden.logits.flat(2);
  return heldToNoise(
    largestDifference('non-autoregressive logits', results.logits, expected, FORWARD_TOLERANCE),
    noise.nar_logits,
  );
}
