/**
 * A second architecture, by the package's entries `speech-dpo/engine` and `/policy` alone: a decoder-only transformer (GPT-2's layout, smaller) that reads prompt and
 * completion as one causal sequence, as most codec language models do.
 */
import {
  gelu,
  layerNorm,
  tf,
  timeMajorMatMul,
  type FloatTensor,
  type ProgramSource,
} from '../../lib/engine/index.js';
import {
  addLowRank,
  causalMask,
  nextOf,
  type Architecture,
  type BatchSizes,
  type HostWeights,
  type ModelConfig,
  type Rows,
  type Tensors,
} from '../../lib/policy/index.js';

type Tensor = Tensors[string];

export interface CausalConfig extends ModelConfig {
  width: number;
  heads: number;
  layers: number;
}

const layersOf = ({ layers }: CausalConfig) => [...Array(layers).keys()];
const rowLength = (config: CausalConfig, { promptLength, completionLength }: BatchSizes) =>
  Math.min(promptLength + completionLength, config.max_position_embeddings);

function weightShapes(config: CausalConfig): Map<string, number[]> {
  const { width, vocab_size, max_position_embeddings } = config;
  const linear = (name: string, out: number, input: number): [string, number[]][] => [
    [`${name}.weight`, [out, input]],
    [`${name}.bias`, [out]],
  ];
  const norm = (name: string): [string, number[]][] =>
    ['weight', 'bias'].map((part) => [`${name}.${part}`, [width]]);
  return new Map([
    ['tokens', [vocab_size, width]],
    ['positions', [max_position_embeddings, width]],
    ...layersOf(config).flatMap((layer) => [
      ...norm(`${layer}.norm1`),
      ...linear(`${layer}.qkv`, 3 * width, width),
      ...linear(`${layer}.mix`, width, width),
      ...norm(`${layer}.norm2`),
      ...linear(`${layer}.up`, 2 * width, width),
      ...linear(`${layer}.down`, width, 2 * width),
    ]),
    ...norm('norm'),
  ]);
}

const norm = (w: Tensors, name: string, x: Tensor) => layerNorm(x, w[`${name}.weight`], w[`${name}.bias`]);

function linear(w: Tensors, name: string, x: Tensor): Tensor {
  const a = tf.reshape(x, [-1, x.shape.at(-1)!]) as Tensor & { rank: 2 };
  const y = tf.fused.matMul({ a, b: w[`${name}.weight`], transposeB: true, bias: w[`${name}.bias`] });
  return addLowRank(w, name, x, tf.reshape(y, [...x.shape.slice(0, -1), -1]));
}

/** x [..., D] to [..., D]; `attend` mixes values, given each head's query, key and value side by side, [..., 3 * D]. */
function layerOf(w: Tensors, layer: number, x: Tensor, attend: (qkv: Tensor) => Tensor): Tensor {
  const mixed = linear(w, `${layer}.mix`, attend(linear(w, `${layer}.qkv`, norm(w, `${layer}.norm1`, x))));
  const attended = tf.add(x, mixed);
  const inner = gelu(linear(w, `${layer}.up`, norm(w, `${layer}.norm2`, attended)));
  return tf.add(attended, linear(w, `${layer}.down`, inner));
}

/** Ids [N, L] to hidden states [N, L, D], and every layer's keys and values [N, heads, L, D / heads]. */
function readSequence(config: CausalConfig, w: Tensors, ids: Tensor, mask: Tensor) {
  const [rows, length] = ids.shape;
  const { heads, width } = config;
  const kept: Record<string, Tensor> = {};
  let x = tf.add(tf.gather(w.tokens, ids), tf.slice(w.positions, [0, 0], [length, width]));
  for (const layer of layersOf(config))
    x = layerOf(w, layer, x, (qkv) => {
      const perHead = tf.transpose(tf.reshape(qkv, [rows, length, heads, (3 * width) / heads]), [0, 2, 1, 3]);
      const [q, k, v] = tf.split(perHead, 3, -1);
      Object.assign(kept, { [`key${layer}`]: k, [`value${layer}`]: v });
      const scores = tf.mul(tf.matMul(q, k, false, true), Math.sqrt(heads / width));
      const mixed = tf.matMul(tf.softmax(tf.add(scores, mask)), v);
      return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [rows, length, width]);
    });
  return { hidden: norm(w, 'norm', x), kept };
}

/** One token of each row, over its prompt's keys and values, its own earlier ones, and the present one. */
function step(config: CausalConfig, w: Tensors, { prompts, samples, promptLength }: BatchSizes) {
  const rows = prompts * samples;
  const { heads, width } = config;
  const headWidth = width / heads;
  const outputs: Record<string, Tensor> = {};
  const byPrompt = (x: Tensor) =>
    tf.transpose(tf.reshape(x, [prompts, samples, heads, -1]), [0, 2, 1, 3]) as Tensor;
  const byRow = (x: Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [rows * heads, 1, -1]);
  const lengths = tf.sum(tf.cast(tf.equal(w.promptMask, 0), 'int32'), 1, true);
  const places = tf.add(tf.add(lengths, w.position), tf.zeros([1, samples], 'int32'));
  // A row that has ended is fed on while others are open, also beyond the last position.
  const last = tf.scalar(config.max_position_embeddings - 1, 'int32');
  const known = tf.minimum(tf.reshape(places, [rows]), last);
  const positions = tf.gather(w.positions, known as Tensor & { rank: 1 });
  let x: Tensor = tf.add(tf.gather(w.vocabulary, w.ids), positions);
  for (const layer of layersOf(config))
    x = layerOf(w, layer, x, (qkv) => {
      const [q, k, v] = tf.split(tf.reshape(qkv, [rows * heads, 1, 3 * headWidth]), 3, -1);
      const query = tf.mul(q, 1 / Math.sqrt(headWidth));
      const present = tf.sum(tf.mul(query, k), -1, true);
      const promptScores = tf.matMul(byPrompt(query), w[`key${layer}`], false, true);
      const prompt = byRow(tf.add(promptScores, tf.reshape(w.promptMask, [prompts, 1, 1, promptLength])));
      const past = tf.add(timeMajorMatMul(query, w[`cachedKey${layer}`], true), w.cacheBias);
      const shares = tf.softmax(tf.concat([present, prompt, past], -1));
      const promptShares = byPrompt(tf.slice(shares, [0, 0, 1], [-1, -1, promptLength]));
      const pastShares = tf.slice(shares, [0, 0, 1 + promptLength]);
      outputs[nextOf(`cachedKey${layer}`)] = k;
      outputs[nextOf(`cachedValue${layer}`)] = v;
      const mixed = tf.addN([
        tf.mul(tf.slice(shares, [0, 0, 0], [-1, -1, 1]), v),
        byRow(tf.matMul(promptShares, w[`value${layer}`])),
        timeMajorMatMul(pastShares, w[`cachedValue${layer}`], false),
      ]);
      return tf.reshape(mixed, [rows, width]);
    });
  return { ...outputs, logits: tf.matMul(norm(w, 'norm', x), w.vocabulary, false, true) };
}

function stepProgram(
  config: CausalConfig,
  weights: HostWeights,
  sizes: BatchSizes,
  vocabulary: Int32Array,
): ProgramSource {
  const { prompts, samples, promptLength, completionLength } = sizes;
  const { heads, width } = config;
  const rows = prompts * samples;
  const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const });
  const cache = { ...float(completionLength, rows * heads, width / heads), growingAxis: 0 };
  const table = weights.get('tokens')!.data;
  const read = Array.from(vocabulary, (id) => [...table.subarray(id * width, (id + 1) * width)]);
  return {
    program: (w) => step(config, w, sizes),
    inputs: {
      ids: { shape: [rows], dtype: 'int32' },
      position: { shape: [1], dtype: 'int32' },
      cacheBias: { ...float(completionLength), growingAxis: 0 },
      promptMask: float(prompts, promptLength),
      ...Object.fromEntries(
        layersOf(config).flatMap((layer) => [
          ...['key', 'value'].map(
            (name) => [`${name}${layer}`, float(prompts, heads, promptLength, width / heads)] as const,
          ),
          ...['cachedKey', 'cachedValue'].map((name) => [`${name}${layer}`, cache] as const),
        ]),
      ),
    },
    constants: {
      ...Object.fromEntries(weights),
      vocabulary: { shape: [vocabulary.length, width], data: Float32Array.from(read.flat()) },
    },
  };
}

export const causalTransformer: Architecture<CausalConfig> = {
  modelType: 'tiny-causal',
  title: 'tiny causal transformer',
  parseConfig: (content) => content as CausalConfig,
  weightShapes,
  initialize: (config, seed) =>
    new Map(
      [...weightShapes(config)].map(([name, shape], tensor): [string, FloatTensor] => {
        const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
        // Any spread of values will do: sines of the golden ratio's multiples.
        return [
          name,
          { shape, dtype: 'float32', data: data.map((_, i) => startValue(name, seed + tensor, i)) },
        ];
      }),
    ),
  isTrained: () => true,
  adaptable: { layers: ['qkv', 'mix', 'up', 'down'], taskType: 'CAUSAL_LM' },
  completionPositions: (config, promptLength) => config.max_position_embeddings - promptLength,
  batchInputs: (config, sizes) => {
    const length = rowLength(config, sizes);
    const rows = sizes.prompts * sizes.samples;
    return {
      inputs: {
        sequence: { shape: [rows, length], dtype: 'int32' },
        places: { shape: [rows, sizes.completionLength], dtype: 'int32' },
      },
      constants: { causal: { shape: [length, length], data: causalMask(length) } },
    };
  },
  /** A row is its prompt and its completion; label t is said by the id before it. */
  collate(config, sizes, prompts, completions) {
    const length = rowLength(config, sizes);
    const promptOf = (row: number) => prompts[Math.floor(row / sizes.samples)];
    const rows: Rows = completions.map((labels, row) => [...promptOf(row), ...labels]);
    const last = length - 1;
    return {
      sequence: Int32Array.from(
        rows.flatMap((ids) => Array.from({ length }, (_, i) => ids[i] ?? config.pad_token_id)),
      ),
      places: Int32Array.from(
        rows.flatMap((_, row) =>
          Array.from(
            { length: sizes.completionLength },
            (_unused, t) => row * length + Math.min(promptOf(row).length - 1 + t, last),
          ),
        ),
      ),
    };
  },
  hiddenStates(config, w) {
    const { hidden } = readSequence(config, w, w.sequence, w.causal);
    return tf.gather(tf.reshape(hidden, [-1, config.width]), w.places as Tensor & { rank: 2 });
  },
  logits: (w, hidden, rows) =>
    tf.matMul(
      hidden as Tensor & { rank: 2 },
      rows ? tf.gather(w.tokens, rows as Tensor & { rank: 1 }) : w.tokens,
      false,
      true,
    ),
  generation: {
    startIds: () => [],
    contextShapes: (config, promptLength) =>
      Object.fromEntries(
        layersOf(config).flatMap((layer) =>
          ['key', 'value'].map((name) => [
            `${name}${layer}`,
            [config.heads, promptLength, config.width / config.heads],
          ]),
        ),
      ),
    promptProgram: (config, weights, { prompts, promptLength }) => ({
      program: (w) => readSequence(config, w, w.promptIds, w.causal).kept,
      inputs: {
        promptIds: { shape: [prompts, promptLength], dtype: 'int32' },
        promptMask: { shape: [prompts, promptLength], dtype: 'float32' },
      },
      constants: {
        ...Object.fromEntries(weights),
        causal: { shape: [promptLength, promptLength], data: causalMask(promptLength) },
      },
    }),
    promptFeeds: (config, _weights, { promptLength: length }, prompts) => ({
      promptIds: Int32Array.from(
        prompts.flatMap((ids) => Array.from({ length }, (_, i) => ids[i] ?? config.pad_token_id)),
      ),
    }),
    cacheShapes: (config) =>
      Object.fromEntries(
        layersOf(config).flatMap((layer) =>
          ['cachedKey', 'cachedValue'].map((name) => [
            `${name}${layer}`,
            [config.heads, config.width / config.heads],
          ]),
        ),
      ),
    stepProgram,
  },
};

function startValue(name: string, tensor: number, i: number): number {
  const value = Math.sin(1 + (tensor * 1000 + i) * 1.6180339887 * 97);
  return /norm.*weight/.test(name) ? 1 + 0.1 * value : 0.3 * value;
}
