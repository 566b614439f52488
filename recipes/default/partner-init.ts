/**
 * The partner starts from what is known already. From the trained policy, where in the source to look: all attention is kept, of each
 * feed-forward layer the units that weigh most. From the codec, what a code means: its embedding is its codebook entry, turned into the
 * network's width, so that the codes summed at a position make its feature vector, and the head finds the entry nearest to what is left.
 */
import type { BartConfig } from '../../lib/policy/bart/config.js';
import { LOGITS_BIAS, POSITION_OFFSET, SHARED_EMBEDDING } from '../../lib/policy/bart/weights.js';
import type { HostTensor } from '../../lib/engine/host-tensor.js';
import type { Policy } from '../../lib/policy/policy.js';
import { uniformStream } from '../../lib/random.js';

/** Norm of the embedding of a codebook-0 code, on average; beside 0.3 of a fresh token or position. */
const ENTRY_NORM = 0.5;

/**
 * Overwrites freshly initialised `weights` of `config`, which has the policy's width and number of layers but narrower feed-forward
 * layers.
 * @param codebooks entries of each codebook, [codebookSize, features]; features at most the network's width
 */
export function startFromPolicy(
  config: BartConfig,
  weights: ReadonlyMap<string, HostTensor>,
  policy: Policy,
  codebooks: readonly Float32Array[],
): void {
  for (const [name, { data }] of weights) {
    const target = data as Float32Array;
    const source = policy.weights.get(name)!.data as Float32Array;
    if (/\.fc[12]\./.test(name)) continue;
    if (name === SHARED_EMBEDDING)
      target.set(source.subarray(0, policy.tokenizer.firstCodeId * config.d_model));
    else target.set(source);
  }
  embedEntries(config.d_model, weights, policy, codebooks);
  // The policy's decoder writes frame t at position t + 1, behind its start token; the partner's has no start token.
  const positions = weights.get('model.decoder.embed_positions.weight')!.data as Float32Array;
  positions.copyWithin(POSITION_OFFSET * config.d_model, (POSITION_OFFSET + 1) * config.d_model);
  for (const part of ['encoder', 'decoder'] as const) {
    for (let layer = 0; layer < config[`${part}_layers`]; layer++) {
      copyFeedForward(`model.${part}.layers.${layer}`, config.d_model, weights, policy.weights);
    }
  }
}

/** Entries times a random rotation become embeddings; half their squared norm, the bias that makes the largest product the nearest entry. */
function embedEntries(
  width: number,
  weights: ReadonlyMap<string, HostTensor>,
  { tokenizer }: Policy,
  codebooks: readonly Float32Array[],
): void {
  const { codebookSize } = tokenizer;
  const features = codebooks[0].length / codebookSize;
  const rotation = randomRotation(width, features);
  const entry = (codebook: number, code: number) =>
    codebooks[codebook].subarray(code * features, (code + 1) * features);
  const meanNorm = (codebook: number) =>
    Array.from({ length: codebookSize }, (_, code) => Math.hypot(...entry(codebook, code))).reduce(
      (a, b) => a + b,
    ) / codebookSize;
  const scale = ENTRY_NORM / meanNorm(0);
  const embedding = weights.get(SHARED_EMBEDDING)!.data as Float32Array;
  const bias = weights.get(LOGITS_BIAS)!.data as Float32Array;
  codebooks.forEach((_, codebook) => {
    const typicalNorm = meanNorm(codebook);
    for (let code = 0; code < codebookSize; code++) {
      const values = entry(codebook, code);
      const id = tokenizer.codeId(codebook, code);
      const row = embedding.subarray(id * width, (id + 1) * width).fill(0);
      rotation.forEach((axis, feature) => {
        for (let i = 0; i < width; i++) row[i] += scale * values[feature] * axis[i];
      });
      // A hidden state has norm sqrt(width) behind its layer norm.
      bias[id] = (-Math.sqrt(width) * scale * Math.hypot(...values) ** 2) / (2 * typicalNorm);
    }
  });
}

/** Orthonormal vectors (Gram and Schmidt on normal ones). */
function randomRotation(width: number, count: number): Float32Array[] {
  const uniform = uniformStream(5);
  const axes: Float32Array[] = [];
  while (axes.length < count) {
    const axis = Float32Array.from(
      { length: width },
      () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    );
    for (const other of axes) {
      const product = axis.reduce((sum, value, i) => sum + value * other[i], 0);
      for (let i = 0; i < width; i++) axis[i] -= product * other[i];
    }
    const norm = Math.hypot(...axis);
    axes.push(axis.map((value) => value / norm));
  }
  return axes;
}

function copyFeedForward(
  prefix: string,
  width: number,
  weights: ReadonlyMap<string, HostTensor>,
  from: ReadonlyMap<string, HostTensor>,
): void {
  const tensor = (map: ReadonlyMap<string, HostTensor>, name: string) =>
    map.get(`${prefix}.${name}`)!.data as Float32Array;
  const [inner, bias, outer] = ['fc1.weight', 'fc1.bias', 'fc2.weight'].map((name) => tensor(from, name));
  const units = bias.length;
  const kept = tensor(weights, 'fc1.bias').length;
  const norm = (values: Iterable<number>) => Math.hypot(...values);
  const column = (unit: number) => Array.from({ length: width }, (_, row) => outer[row * units + unit]);
  const weight = Array.from(
    { length: units },
    (_, unit) => norm(inner.subarray(unit * width, (unit + 1) * width)) * norm(column(unit)),
  );
  const heaviest = [...weight.keys()].sort((a, b) => weight[b] - weight[a]).slice(0, kept);
  heaviest.forEach((unit, i) => {
    tensor(weights, 'fc1.weight').set(inner.subarray(unit * width, (unit + 1) * width), i * width);
    tensor(weights, 'fc1.bias')[i] = bias[unit];
    column(unit).forEach((value, row) => (tensor(weights, 'fc2.weight')[row * kept + i] = value));
  });
  tensor(weights, 'fc2.bias').set(tensor(from, 'fc2.bias'));
}
