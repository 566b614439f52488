import { isDeepStrictEqual } from 'node:util';
import { asStateDict, parseTorchFile } from '../../checkpoint/torch-file.js';

/** Looks a float32 weight up by name, and checks its shape. */
export type Weights = (name: string, shape: readonly number[]) => Float32Array;

/** The settings in a checkpoint that decide its network and features, and the values this project builds: those of NISQA v2.0. */
const SUPPORTED_SETTINGS: Readonly<Record<string, unknown>> = {
  model: 'NISQA_DIM',
  ms_sr: null,
  ms_fmax: 20_000,
  ms_n_fft: 4096,
  ms_hop_length: 0.01,
  ms_win_length: 0.02,
  ms_n_mels: 48,
  ms_seg_length: 15,
  ms_seg_hop_length: 4,
  cnn_model: 'adapt',
  cnn_c_out_1: 16,
  cnn_c_out_2: 32,
  cnn_c_out_3: 64,
  cnn_kernel_size: [3, 3],
  cnn_fc_out_h: null,
  cnn_pool_1: [24, 7],
  cnn_pool_2: [12, 5],
  cnn_pool_3: [6, 3],
  td: 'self_att',
  td_sa_d_model: 64,
  td_sa_nhead: 1,
  td_sa_pool_size: null,
  td_sa_pos_enc: false,
  td_sa_num_layers: 2,
  td_sa_h: 64,
  td_2: 'skip',
  pool: 'att',
  pool_att_h: 128,
};

/**
 * Reads the authors' checkpoint, nisqa.tar (a PyTorch file in spite of its name).
 *
 * @param name stands for the file in error messages
 * @throws Error naming the file when it is no such checkpoint, or one of another network (nisqa_mos_only.tar, nisqa_tts.tar)
 */
export function parseNisqaWeights(bytes: Uint8Array, name: string): Weights {
  const checkpoint = parseTorchFile(bytes, name);
  const settings: unknown = checkpoint instanceof Map ? checkpoint.get('args') : undefined;
  if (!(checkpoint instanceof Map) || !(settings instanceof Map)) {
    throw new Error(`${name}: not a NISQA checkpoint: it has no "args" that describe the network`);
  }
  for (const [key, supported] of Object.entries(SUPPORTED_SETTINGS)) {
    const found: unknown = settings.get(key);
    if (!isDeepStrictEqual(found, supported)) {
      throw new Error(
        `${name}: a NISQA network with ${key} = ${JSON.stringify(found)}; only ${JSON.stringify(supported)} is supported (nisqa.tar, NISQA v2.0)`,
      );
    }
  }
  const state = asStateDict(checkpoint.get('model_state_dict'), name);
  return (weight, shape) => {
    const tensor = state.get(weight);
    if (!tensor) throw new Error(`${name}: the weight "${weight}" is missing`);
    if (tensor.dtype !== 'float32' || !isDeepStrictEqual(tensor.shape, shape)) {
      throw new Error(
        `${name}: the weight "${weight}" is ${tensor.dtype} [${tensor.shape}]; expected float32 [${shape}]`,
      );
    }
    return tensor.data;
  };
}
