/**
 * EnCodec's encoder and decoder (SEANet; Défossez et al. 2022, section 3.1) as lists of layers, in the order and with the names of
 * transformers' modeling_encodec.py.
 */
import { samplesPerFrame, type EncodecConfig } from './config.js';

export interface ConvLayer {
  kind: 'conv';
  name: string;
  inputs: number;
  outputs: number;
  kernel: number;
  stride: number;
  dilation: number;
  /** Positions of its input for one frame of codes. */
  inputsPerFrame: number;
}

/** A transposed convolution that makes `stride` positions of one; its kernel is twice the stride. */
export interface UpsampleLayer {
  kind: 'upsample';
  name: string;
  inputs: number;
  outputs: number;
  stride: number;
}

/** Adds its input to its output. */
export interface LstmLayers {
  kind: 'lstm';
  name: string;
  width: number;
  layers: number;
}

export interface ResidualLayer {
  kind: 'residual';
  block: Layer[];
  shortcut: ConvLayer | null;
}

export type Layer = ConvLayer | UpsampleLayer | LstmLayers | ResidualLayer | { kind: 'elu' };

/** Past positions a convolution looks back on. */
export function reach({ kernel, stride, dilation }: ConvLayer): number {
  return (kernel - 1) * dilation + 1 - stride;
}

/** Samples [1, 1, T] to features [1, hidden_size, T / samplesPerFrame]. */
export function encoderLayers(config: EncodecConfig): Layer[] {
  const { num_filters: filters, upsampling_ratios: ratios, kernel_size: kernel } = config;
  const list = createList('encoder.layers');
  let width = filters;
  let rate = samplesPerFrame(config);
  list.addConv({ inputs: 1, outputs: width, kernel, inputsPerFrame: rate });
  for (const ratio of [...ratios].reverse()) {
    addResiduals(list, config, width, rate);
    list.addElu();
    const down = { inputs: width, outputs: 2 * width, kernel: 2 * ratio, stride: ratio };
    list.addConv({ ...down, inputsPerFrame: rate });
    width *= 2;
    rate /= ratio;
  }
  list.addLstm(width, config.num_lstm_layers);
  list.addElu();
  const last = { inputs: width, outputs: config.hidden_size, kernel: config.last_kernel_size };
  list.addConv({ ...last, inputsPerFrame: rate });
  return list.layers;
}

/** Features [1, hidden_size, T] to samples [1, 1, T * samplesPerFrame]. */
export function decoderLayers(config: EncodecConfig): Layer[] {
  const { upsampling_ratios: ratios, kernel_size: kernel } = config;
  const list = createList('decoder.layers');
  let width = config.num_filters * 2 ** ratios.length;
  let rate = 1;
  list.addConv({ inputs: config.hidden_size, outputs: width, kernel, inputsPerFrame: rate });
  list.addLstm(width, config.num_lstm_layers);
  for (const ratio of ratios) {
    list.addElu();
    list.addUpsample(width, width / 2, ratio);
    width /= 2;
    rate *= ratio;
    addResiduals(list, config, width, rate);
  }
  list.addElu();
  list.addConv({ inputs: width, outputs: 1, kernel: config.last_kernel_size, inputsPerFrame: rate });
  return list.layers;
}

type ConvShape = Omit<ConvLayer, 'kind' | 'name' | 'stride' | 'dilation'> &
  Partial<Pick<ConvLayer, 'stride' | 'dilation'>>;

const conv = (name: string, shape: ConvShape): ConvLayer => ({
  kind: 'conv',
  name: `${name}.conv`,
  stride: 1,
  dilation: 1,
  ...shape,
});

/** Layers are named by their position in the list, those without weights included. */
function createList(prefix: string) {
  const layers: Layer[] = [];
  const nextName = () => `${prefix}.${layers.length}`;
  return {
    layers,
    nextName,
    addElu: () => layers.push({ kind: 'elu' }),
    addConv: (shape: ConvShape) => layers.push(conv(nextName(), shape)),
    addUpsample: (inputs: number, outputs: number, stride: number) =>
      layers.push({ kind: 'upsample', name: `${nextName()}.conv`, inputs, outputs, stride }),
    addLstm: (width: number, count: number) =>
      layers.push({ kind: 'lstm', name: `${nextName()}.lstm`, width, layers: count }),
  };
}

function addResiduals(
  list: ReturnType<typeof createList>,
  config: EncodecConfig,
  width: number,
  rate: number,
): void {
  const hidden = Math.floor(width / config.compress);
  for (let i = 0; i < config.num_residual_layers; i++) {
    const name = list.nextName();
    const wide = {
      kernel: config.residual_kernel_size,
      dilation: config.dilation_growth_rate ** i,
      inputsPerFrame: rate,
    };
    const narrow = { kernel: 1, inputsPerFrame: rate };
    list.layers.push({
      kind: 'residual',
      block: [
        { kind: 'elu' },
        conv(`${name}.block.1`, { inputs: width, outputs: hidden, ...wide }),
        { kind: 'elu' },
        conv(`${name}.block.3`, { inputs: hidden, outputs: width, ...narrow }),
      ],
      shortcut: config.use_conv_shortcut
        ? conv(`${name}.shortcut`, { inputs: width, outputs: width, ...narrow })
        : null,
    });
  }
}

/** Every layer, those inside residual blocks included. */
export function flatten(layers: readonly Layer[]): Layer[] {
  return layers.flatMap((layer) =>
    layer.kind === 'residual'
      ? [...flatten(layer.block), ...(layer.shortcut ? [layer.shortcut] : [])]
      : layer,
  );
}
