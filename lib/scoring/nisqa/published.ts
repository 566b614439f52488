/** The three networks that NISQA's authors published: where their weights are, and what tells them apart. */
import { downloadFile, downloadProblemOf } from '../../checkpoint/download.js';
import { checkAddress } from '../../checkpoint/environment.js';
import type { WeightsPlace } from '../weights-path.js';
import { NISQA_FRAMING, type Framing } from './features.js';
import { DIMENSIONS, type NetworkShape } from './network.js';

export interface NisqaNetwork {
  place: WeightsPlace;
  framing: Framing;
  shape: NetworkShape;
  /** The settings in a checkpoint that decide network and features, and the values that this project builds. */
  settings: Readonly<Record<string, unknown>>;
}

/** The commit of the authors' repository that the reference scores were computed with. */
const AUTHORS =
  'https://raw.githubusercontent.com/gabrielmittag/NISQA/fe84f0f252abec382b24367d5b22498a7ce34dbb/weights';
const LICENCE =
  'Licence: CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0), not for commercial purposes; by Gabriel Mittag et al., TU Berlin.';

/** @param variable of the environment, with a path */
function placeOf(metric: string, file: string, variable: string, sha256: string): WeightsPlace {
  return {
    metric,
    variable,
    cached: file,
    kind: 'file',
    source: `${file} (from the weights folder of github.com/gabrielmittag/NISQA)`,
    licence: LICENCE,
    download: (path) => downloadWeights(file, path, sha256),
  };
}

/** @throws Error as `downloadFile`, with the name of NISQA_MIRROR where what is at its address is at fault */
async function downloadWeights(file: string, path: string, sha256: string): Promise<void> {
  const mirror = process.env.NISQA_MIRROR;
  if (mirror) checkAddress(mirror, 'NISQA_MIRROR');
  const folder = mirror?.replace(/\/+$/, '') || AUTHORS;
  await downloadFile(`${folder}/${file}`, path, { sha256 }).catch((error: Error) => {
    if (!mirror || !downloadProblemOf(error)) throw error;
    throw new Error(`${error.message} (NISQA_MIRROR names this address)`, { cause: error });
  });
}

const COMMON = {
  ms_sr: null,
  ms_n_fft: 4096,
  ms_hop_length: 0.01,
  ms_win_length: 0.02,
  ms_n_mels: 48,
  ms_seg_length: 15,
  cnn_c_out_1: 16,
  cnn_c_out_2: 32,
  cnn_c_out_3: 64,
  td_2: 'skip',
} as const;

const WITH_ATTENTION = {
  ...COMMON,
  ms_fmax: NISQA_FRAMING.maxMelHz,
  ms_seg_hop_length: NISQA_FRAMING.segmentHopFrames,
  cnn_model: 'adapt',
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
  pool: 'att',
  pool_att_h: 128,
} as const;

/** NISQA v2.0: overall quality and four qualities of it. */
export const NISQA: NisqaNetwork = {
  place: placeOf(
    'NISQA',
    'nisqa.tar',
    'NISQA_WEIGHTS',
    '7ec4cf937514dd3f8860b21e66fabd8ca87a168572675ef8d979c4c4ad2e805c',
  ),
  framing: NISQA_FRAMING,
  shape: { sequence: 'attention', heads: DIMENSIONS.map((_, head) => `pool_layers.${head}`) },
  settings: { model: 'NISQA_DIM', ...WITH_ATTENTION },
};

/** Overall quality alone, by a network of the same build that was trained on it alone. */
export const NISQA_MOS_ONLY: NisqaNetwork = {
  place: placeOf(
    'NISQA-MOS',
    'nisqa_mos_only.tar',
    'NISQA_MOS_ONLY_WEIGHTS',
    '16b2632bea0a481b1bba485587a8da2265f2c7797b525712ae0c072986ee783c',
  ),
  framing: NISQA_FRAMING,
  shape: { sequence: 'attention', heads: ['pool'] },
  settings: { model: 'NISQA', ...WITH_ATTENTION },
};

/** How natural synthesized speech sounds. At most 30 s, since a segment begins at every frame. */
export const NISQA_TTS: NisqaNetwork = {
  place: placeOf(
    'NISQA-TTS',
    'nisqa_tts.tar',
    'NISQA_TTS_WEIGHTS',
    'c556a954cd9536360b4fe6f524ad432816509cd22f436f345b281a7851360656',
  ),
  framing: { segmentHopFrames: 1, maxMelHz: 8000 },
  shape: { sequence: 'lstm', heads: ['pool'] },
  settings: {
    model: 'NISQA',
    ...COMMON,
    ms_fmax: 8000,
    ms_seg_hop_length: 1,
    cnn_model: 'standard',
    cnn_kernel_size: [3, 3],
    cnn_fc_out_h: 20,
    td: 'lstm',
    td_lstm_h: 128,
    td_lstm_num_layers: 1,
    td_lstm_bidirectional: true,
    pool: 'last_step_bi',
  },
};
