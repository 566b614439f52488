/**
 * Low-rank adapters (LoRA; Hu et al. 2021, arXiv:2106.09685) of linear layers, as PEFT computes them: a layer of weight W [out, in] becomes
 *
 *     y = x W^T + bias + (x A^T) B^T * alpha / rank,      A [rank, in], B [out, rank]
 *
 * Only A and B are trained. They stand beside the network's weights in `Model.weights`, so that whoever trains, saves or compares
 * weights sees them as such.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { FloatTensor } from '../engine/host-tensor.js';
import { tf } from '../engine/tf.js';
import { uniformStream } from '../random.js';
import { describeIssues } from '../zod-message.js';
import {
  LORA_SCALING,
  type Adapter,
  type Architecture,
  type HostWeights,
  type Model,
  type ModelConfig,
  type Tensors,
} from './architecture.js';

const nameOfA = (layer: string): string => `${layer}.lora_A.weight`;
const nameOfB = (layer: string): string => `${layer}.lora_B.weight`;

const isAdapterWeight = (name: string): boolean => /\.lora_[AB]\.weight$/.test(name);

/** y [..., out] of a linear layer for x [..., in], with the layer's adapter where it has one. */
export function addLowRank(w: Tensors, layer: string, x: Tensor, y: Tensor): Tensor {
  if (!(nameOfA(layer) in w)) return y;
  const rows = tf.reshape(x, [-1, x.shape[x.rank - 1]]);
  const inner = tf.matMul(rows, w[nameOfA(layer)], false, true);
  const term = tf.mul(tf.matMul(inner, w[nameOfB(layer)], false, true), w[LORA_SCALING]);
  return tf.add(y, tf.reshape(term, y.shape));
}

/**
 * Names and shapes of an adapter's tensors, A and B of each layer it is on. As in PEFT, a target is the end of a layer's name: "q_proj" is all
 * of them, "encoder_attn.q_proj" those of cross-attention.
 *
 * @throws Error in one sentence when a target is no layer's, or the architecture takes no adapters
 */
export function adapterShapes<Config extends ModelConfig>(
  { architecture, config }: Pick<Model<Config>, 'architecture' | 'config'>,
  { rank, targets }: Pick<Adapter, 'rank' | 'targets'>,
): Map<string, readonly number[]> {
  const layers = linearLayers(architecture, config);
  const matches = (layer: string, target: string) => layer === target || layer.endsWith(`.${target}`);
  const missing = targets.find((target) => ![...layers.keys()].some((layer) => matches(layer, target)));
  if (missing !== undefined || targets.length === 0) {
    const kinds = architecture.adaptable!.layers.join(', ');
    throw new Error(
      `${missing === undefined ? 'an adapter without targets is on no layer' : `no linear layer of this ${architecture.title} is called "${missing}"`}: its layers are ${kinds}`,
    );
  }
  const shapes = new Map<string, readonly number[]>();
  for (const [layer, [outputs, inputs]] of layers) {
    if (!targets.some((target) => matches(layer, target))) continue;
    shapes.set(nameOfA(layer), [rank, inputs]);
    shapes.set(nameOfB(layer), [outputs, rank]);
  }
  return shapes;
}

/** Names of the layers that an adapter may be on, and the shapes of their weights. */
function linearLayers<Config extends ModelConfig>(
  architecture: Architecture<Config>,
  config: Config,
): Map<string, readonly number[]> {
  const kinds = architecture.adaptable?.layers;
  if (!kinds) throw new Error(`speech-dpo puts no adapters on a ${architecture.title}`);
  const suffix = '.weight';
  return new Map(
    [...architecture.weightShapes(config)]
      .map(([name, shape]) => [name.slice(0, -suffix.length), name, shape] as const)
      .filter(([layer, name]) => name.endsWith(suffix) && kinds.includes(layer.split('.').at(-1)!))
      .map(([layer, , shape]) => [layer, shape]),
  );
}

/** Other numbers would make weights of NaN, or none. */
const adapterSchema = z.object({
  rank: z.number().int().min(1),
  alpha: z.number().positive(),
  targets: z.array(z.string()),
  base: z.string(),
});

/**
 * The model with a new adapter, which changes nothing yet: as in PEFT, A is uniform within 1 / sqrt(in) either way
 * (torch.nn.init.kaiming_uniform_ with a = sqrt(5)), B is zero. The base's tensors are shared, not copied.
 *
 * @throws Error in one sentence for options that make no adapter, when the model has one already, as `adapterShapes` does, or the rank is
 *   above that of every layer
 */
export function addAdapter<M extends Model>(model: M, options: Adapter, seed: number): M {
  if (model.adapter) throw new Error('the model has an adapter already: merge it first, or train that one');
  const { error } = adapterSchema.safeParse(options);
  if (error) throw new Error(`wrong options of an adapter: ${describeIssues(error)}`);
  const shapes = adapterShapes(model, options);
  checkRank(shapes, options.rank);
  const tensors = [...shapes].map(([name, shape], index): [string, FloatTensor] => {
    const data = new Float32Array(shape[0] * shape[1]);
    if (name.endsWith('.lora_A.weight')) {
      const uniform = uniformStream(seed, index);
      const bound = 1 / Math.sqrt(shape[1]);
      data.forEach((_, i) => (data[i] = bound * (2 * uniform() - 1)));
    }
    return [name, { shape: [...shape], dtype: 'float32', data }];
  });
  return withAdapter(model, options, new Map(tensors));
}

/** @throws Error in one sentence for a rank above every layer's own, beyond which an adapter only grows */
function checkRank(shapes: ReadonlyMap<string, readonly number[]>, rank: number): void {
  const ranks = [...shapes].flatMap(([name, [, inputs]]) => {
    const [outputs] = shapes.get(name.replace('.lora_A.', '.lora_B.'))!;
    return name.includes('.lora_A.') ? [Math.min(inputs, outputs)] : [];
  });
  const most = Math.max(...ranks);
  if (rank > most)
    throw new Error(
      `an adapter of rank ${rank} is larger than the layers it is on: a rank of ${most} is as good as training them whole`,
    );
}

/** The model with the tensors of `adapterShapes`. */
export function withAdapter<M extends Model>(model: M, adapter: Adapter, tensors: HostWeights): M {
  const data = Float32Array.of(adapter.alpha / adapter.rank);
  const weights = new Map<string, FloatTensor>([
    ...model.weights,
    ...tensors,
    [LORA_SCALING, { shape: [], dtype: 'float32', data }],
  ]);
  return { ...model, adapter, weights };
}

/** An adapter's tensors among a model's weights, A and B of each layer it is on. */
export function adapterWeights({ weights }: Pick<Model, 'weights'>): Map<string, FloatTensor> {
  return new Map([...weights].filter(([name]) => isAdapterWeight(name)));
}

/** Names of the weights that an adapter leaves as they are, in training too; none where there is no adapter. */
export function frozenOf({ architecture, adapter, weights }: Omit<Model, 'config'>): string[] {
  if (!adapter) return [];
  return [...weights.keys()].filter(
    (name) => name !== LORA_SCALING && !isAdapterWeight(name) && architecture.isTrained(name),
  );
}

/**
 * The network's weights with the adapter merged into them, W + B A alpha / rank, summed in float64 and rounded once; the
 * weights themselves where there is no adapter. Tensors without an adapter are shared, not copied.
 */
export function mergedWeights({ adapter, weights }: Pick<Model, 'adapter' | 'weights'>): HostWeights {
  if (!adapter) return weights;
  const scaling = weights.get(LORA_SCALING)!.data[0];
  const merged = new Map<string, FloatTensor>();
  for (const [name, tensor] of weights) {
    if (name === LORA_SCALING || isAdapterWeight(name)) continue;
    const layer = name.replace(/\.weight$/, '');
    const [a, b] = [weights.get(nameOfA(layer)), weights.get(nameOfB(layer))];
    merged.set(name, a && b ? { ...tensor, data: addProduct(tensor, a, b, scaling) } : tensor);
  }
  return merged;
}

/** The model with its adapter merged into its weights, as `mergedWeights`; itself where it has none. */
export function mergeAdapter<M extends Model>(model: M): M {
  return model.adapter ? { ...model, adapter: undefined, weights: new Map(mergedWeights(model)) } : model;
}

function addProduct(
  { shape: [outputs, inputs], data }: FloatTensor,
  { data: a }: FloatTensor,
  { data: b }: FloatTensor,
  scaling: number,
): Float32Array {
  const rank = a.length / inputs;
  const sums = new Float32Array(data.length);
  const row = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scaling * b[output * rank + r];
      const start = r * inputs;
      for (let i = 0; i < inputs; i++) row[i] += factor * a[start + i];
    }
    const start = output * inputs;
    for (let i = 0; i < inputs; i++) sums[start + i] = data[start + i] + row[i];
  }
  return sums;
}
