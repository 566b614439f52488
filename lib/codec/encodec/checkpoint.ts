/** EnCodec's weights from a Hugging Face folder, in the shapes the network computes with. */
import { gatesOfTorch } from '../../engine/index.js';
import type { FloatTensor, HostTensor } from '../../engine/host-tensor.js';
import { readTensorFiles } from '../../checkpoint/tensor-files.js';
import { codebooksForBandwidth, defaultBandwidth, readEncodecConfig, type EncodecConfig } from './config.js';
import { decoderLayers, encoderLayers, flatten, type Layer, type UpsampleLayer } from './layers.js';

export type EncodecWeights = Record<string, FloatTensor>;

export interface EncodecModel {
  config: EncodecConfig;
  encoder: EncodecWeights;
  decoder: EncodecWeights;
  /** Those that are used, each [codebook_size, hidden_size], row-major. */
  codebooks: Float32Array[];
}

/** How many codebooks of an EnCodec are used, the first ones. */
export interface EncodecOptions {
  /** As many as this bandwidth in kbit/s pays for, which must be one of the model's; default 6, or where it has no such its largest. */
  bandwidthKbps?: number;
  /** At most so many, whatever the bandwidth; default: as many as it pays for. */
  codebooks?: number;
}

/**
 * Reads config.json and the weights of an EnCodec folder. Weight norm is folded into the convolutions; LSTM gates are put into ONNX's
 * order.
 *
 * @throws Error naming file and tensor when one is missing or of another shape
 */
export async function loadEncodec(folder: string, options: EncodecOptions = {}): Promise<EncodecModel> {
  const config = await readEncodecConfig(folder);
  const { bandwidthKbps = defaultBandwidth(config), codebooks: most } = options;
  const tensors = await readTensorFiles(folder);
  const layers = countCodebooks(tensors);
  const codebooks =
    most === undefined
      ? codebooksForBandwidth(config, bandwidthKbps, layers, folder)
      : Math.min(most, Math.max(1, layers));
  const take = createReader(tensors, folder);
  return {
    config,
    encoder: networkWeights(encoderLayers(config), take),
    decoder: networkWeights(decoderLayers(config), take),
    codebooks: Array.from({ length: codebooks }, (_, i) =>
      take([codebookName(i)], [config.codebook_size, config.hidden_size]),
    ),
  };
}

const codebookName = (index: number): string => `quantizer.layers.${index}.codebook.embed`;

function countCodebooks(tensors: ReadonlyMap<string, HostTensor>): number {
  let count = 0;
  while (tensors.has(codebookName(count))) count += 1;
  return count;
}

/** Reads the tensor of the first name there is. */
type Take = (names: readonly string[], shape: readonly number[]) => Float32Array;

function createReader(tensors: Map<string, HostTensor>, folder: string): Take {
  return (names, shape) => {
    const name = names.find((candidate) => tensors.has(candidate)) ?? names[0];
    const tensor = tensors.get(name);
    if (tensor?.dtype !== 'float32' || tensor.shape.join() !== shape.join()) {
      const found = tensor ? `${tensor.dtype} [${tensor.shape.join(', ')}]` : 'nothing';
      throw new Error(`${folder}: "${name}" must be float [${shape.join(', ')}], found ${found}.`);
    }
    return tensor.data;
  };
}

function networkWeights(layers: readonly Layer[], take: Take): EncodecWeights {
  const weights: EncodecWeights = {};
  const set = (name: string, shape: number[], data: Float32Array) => {
    weights[name] = { shape, dtype: 'float32', data };
  };
  for (const layer of flatten(layers)) {
    if (layer.kind === 'conv') {
      const { name, inputs, outputs, kernel } = layer;
      const shape = [outputs, inputs, kernel];
      set(`${name}.weight`, shape, normalizedWeight(name, shape, take));
      set(`${name}.bias`, [outputs], take([`${name}.bias`], [outputs]));
    } else if (layer.kind === 'upsample') {
      const { name, inputs, outputs, stride } = layer;
      const channels = outputs * stride;
      const weight = normalizedWeight(name, [inputs, outputs, 2 * stride], take);
      const bias = take([`${name}.bias`], [outputs]);
      set(`${name}.weight`, [channels, inputs, 2], weightOfTurns(weight, layer));
      set(
        `${name}.bias`,
        [channels],
        Float32Array.from({ length: channels }, (_, i) => bias[Math.floor(i / stride)]),
      );
    } else if (layer.kind === 'lstm') {
      const { name, width } = layer;
      for (let i = 0; i < layer.layers; i++) {
        const matrix = (part: string) =>
          gatesOfTorch(take([`${name}.weight_${part}_l${i}`], [4 * width, width]), width * width);
        const vector = (part: string) =>
          gatesOfTorch(take([`${name}.bias_${part}_l${i}`], [4 * width]), width);
        set(`${name}.${i}.inputWeight`, [1, 4 * width, width], matrix('ih'));
        set(`${name}.${i}.stateWeight`, [1, 4 * width, width], matrix('hh'));
        set(`${name}.${i}.bias`, [1, 8 * width], Float32Array.of(...vector('ih'), ...vector('hh')));
      }
    }
  }
  return weights;
}

/**
 * The kernel of a transposed convolution, [inputs, outputs, 2 * stride], as that of the convolution which `upsample` in network.ts is,
 * [outputs * stride, inputs, 2]: of the position before and of this one.
 */
function weightOfTurns(kernel: Float32Array, { inputs, outputs, stride }: UpsampleLayer): Float32Array {
  const turns = new Float32Array(kernel.length);
  for (let input = 0; input < inputs; input++)
    for (let channel = 0; channel < outputs * stride; channel++) {
      const from = (input * outputs + Math.floor(channel / stride)) * 2 * stride + (channel % stride);
      const to = (channel * inputs + input) * 2;
      turns[to] = kernel[from + stride];
      turns[to + 1] = kernel[from];
    }
  return turns;
}

/** Weight normalization (Salimans & Kingma 2016) over all axes but the first: gain * direction / |direction|. */
function normalizedWeight(name: string, shape: readonly number[], take: Take): Float32Array {
  const [rows, ...rest] = shape;
  // The second names are those of torch.nn.utils.parametrizations.weight_norm.
  const gain = take(
    [`${name}.weight_g`, `${name}.parametrizations.weight.original0`],
    [rows, ...rest.map(() => 1)],
  );
  const direction = take([`${name}.weight_v`, `${name}.parametrizations.weight.original1`], shape);
  const size = direction.length / rows;
  const weight = new Float32Array(direction.length);
  for (let row = 0; row < rows; row++) {
    const values = direction.subarray(row * size, (row + 1) * size);
    const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    weight.set(
      values.map((value) => (gain[row] * value) / norm),
      row * size,
    );
  }
  return weight;
}
