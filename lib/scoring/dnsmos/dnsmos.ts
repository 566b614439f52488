import { join } from 'node:path';
import { resample } from '../../audio/resample.js';
import { readGivenFile } from '../../checkpoint/given-file.js';
import { CpuDevice, EngineStopped, type Device } from '../../engine/index.js';
import { meanOf } from '../../mean.js';
import type { OnNotice } from '../../notice.js';
import { openParts, releaseAll, type Release } from '../../release.js';
import { readOnnxWeights } from '../onnx-weights.js';
import { checkFinite, checkRate, UnscorableSample } from '../unscorable.js';
import { findWeights, nameWeights, type WeightsPlace } from '../weights-path.js';
import { downloadFromWheel } from '../wheel.js';
import { compileMel, framesOf, MEL_BANDS, MEL_FRAMES } from './mel.js';
import { openP835 } from './p835.js';
import {
  alikeFrame,
  authorsWindows,
  copySamples,
  DNSMOS_RATE_HZ,
  fewestWindows,
  WINDOW_SAMPLES,
  type Windows,
} from './windows.js';

/** Speech quality as listeners would rate it, from 1 (bad) to 5 (excellent). */
export interface DnsmosScores {
  /** Overall quality (ITU-T P.835). */
  ovrl: number;
  /** Quality of the speech alone (P.835). */
  sig: number;
  /** Quietness of the background (P.835). */
  bak: number;
  /** Overall quality (ITU-T P.808), by a second network. */
  p808: number;
}

/** DNSMOS, ready to score. */
export interface Dnsmos {
  /**
   * Scores one mono recording, resampled to 16 kHz. One shorter than 9.01 s is repeated until it is that long; of a longer one, windows
   * of 9.01 s one second apart are scored and averaged.
   * @throws UnscorableSample when it holds no samples, or values that are not numbers
   */
  score(samples: Float32Array, sampleRateHz: number): Promise<DnsmosScores>;
  /**
   * OVRL alone, for a fraction of the work: without the P.808 network, and of a recording shorter than 9.01 s in the one window that it is
   * repeated to fill. `score` doubles such a recording as its authors do, and rates up to seven windows of it.
   * @throws UnscorableSample as `score` does
   */
  scoreOverall(samples: Float32Array, sampleRateHz: number): Promise<number>;
  /** Frees the network, and the devices that were opened for it. */
  dispose(): Promise<void>;
}

/** From the P.835 network's outputs to ratings: coefficients of x^2, x and 1. */
type Polynomial = readonly [number, number, number];
const POLYNOMIALS = {
  sig: [-0.08397278, 1.22083953, 0.0052439],
  bak: [-0.13166888, 1.60915514, -0.39604546],
  ovrl: [-0.06766283, 1.11546468, 0.04602535],
} as const satisfies Record<string, Polynomial>;

/** In the order of the network's outputs. */
const RATED = ['sig', 'bak', 'ovrl'] as const;

const WHEEL = 'speechmos==0.0.1.1';
/** The files of the P.835 and the P.808 network, with their SHA-256. */
const NETWORKS = {
  'sig_bak_ovr.onnx': '269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd',
  'model_v8.onnx': '9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91',
} as const;

/** The files of its networks. */
export const DNSMOS_FILES: readonly string[] = Object.keys(NETWORKS);

/** Where DNSMOS's networks belong. */
export const DNSMOS_PLACE: WeightsPlace = {
  metric: 'DNSMOS',
  variable: 'DNSMOS_WEIGHTS',
  cached: 'dnsmos_models',
  kind: 'folder',
  source: `the folder dnsmos_models with ${Object.keys(NETWORKS).join(' and ')} (from the Python package ${WHEEL})`,
  licence: 'Licence: MIT; by Microsoft.',
  download: (path) => downloadFromWheel(WHEEL, 'speechmos/dnsmos_models', NETWORKS, path),
};

/**
 * Loads DNSMOS, which predicts how listeners would rate the quality of speech after noise suppression.
 *
 * Source: Reddy, Gopal, Cutler, "DNSMOS P.835: A Non-Intrusive Perceptual Objective Speech Quality Metric to Evaluate Noise
 * Suppressors", ICASSP 2022, and its published code.
 *
 * @param weightsFolder holds sig_bak_ovr.onnx and model_v8.onnx; default: the environment's DNSMOS_WEIGHTS, then the user's cache,
 * into which pip gets them from the wheel speechmos where they are missing (of the Python in SPEECH_DPO_PYTHON, else of .venv, else the
 * system's)
 * @param options.device runs the networks; default: a CPU device of its own, which `dispose` closes
 * @param options.onNotice is told of a download, with the licence
 * @throws Error when the weights are not found (saying how to provide them) or are no ONNX models
 */
export async function loadDnsmos(
  weightsFolder?: string,
  options: { device?: Device; onNotice?: OnNotice } = {},
): Promise<Dnsmos> {
  const { device, onNotice } = options;
  const folder = await findWeights(DNSMOS_PLACE, weightsFolder, onNotice);
  const nameOf = (path: string) => nameWeights(DNSMOS_PLACE, path, weightsFolder);
  return openParts((opened) => {
    const own = device ? undefined : new CpuDevice();
    if (own) opened.push(() => own.close());
    return openNetworks(folder, nameOf, device ?? own!, opened);
  });
}

async function openNetworks(
  folder: string,
  nameOf: (path: string) => string,
  device: Device,
  opened: Release[],
): Promise<Dnsmos> {
  const open = async <T>(file: keyof typeof NETWORKS, load: (model: Uint8Array) => Promise<T>) => {
    const path = join(folder, file);
    try {
      return await load(await readGivenFile(path));
    } catch (error) {
      if (error instanceof EngineStopped) throw error;
      throw new Error(`${nameOf(path)}: cannot load this DNSMOS network: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  const rate = await open('sig_bak_ovr.onnx', (model) => openP835(readOnnxWeights(model), device, opened));
  const p808 = await open('model_v8.onnx', (model) => device.load(model));
  opened.push(() => device.unload(p808));
  const mel = await compileMel(device);
  opened.push(() => mel.dispose());

  /** The P.808 network's rating of the window that begins at a frame. */
  async function rateP808(windows: Windows, start: number): Promise<number> {
    const window = new Float32Array(WINDOW_SAMPLES);
    copySamples(windows, start, window);
    const { levels } = await mel({ frames: framesOf(window) });
    const input = { data: levels as Float32Array, shape: [1, MEL_FRAMES, MEL_BANDS] };
    return Object.values(await device.run(p808, { input_1: input }, {}))[0][0];
  }

  return {
    async score(samples, sampleRateHz) {
      const windows = authorsWindows(prepare(samples, sampleRateHz));
      const ratings = await rate(windows);
      const p808s = new Map<number, number>();
      for (const start of windows.starts) {
        const alike = alikeFrame(windows, start);
        if (!p808s.has(alike)) p808s.set(alike, await rateP808(windows, start));
      }
      return {
        ovrl: meanRating(ratings, 'ovrl'),
        sig: meanRating(ratings, 'sig'),
        bak: meanRating(ratings, 'bak'),
        p808: meanOf(windows.starts.map((start) => p808s.get(alikeFrame(windows, start))!)),
      };
    },
    async scoreOverall(samples, sampleRateHz) {
      return meanRating(await rate(fewestWindows(prepare(samples, sampleRateHz))), 'ovrl');
    },
    dispose: () => releaseAll(opened),
  };
}

/** The mean over windows of one quality that the P.835 network rates. */
function meanRating(ratings: readonly Float32Array[], quality: (typeof RATED)[number]): number {
  const [a, b, c] = POLYNOMIALS[quality];
  const index = RATED.indexOf(quality);
  return meanOf(ratings.map((rating) => (a * rating[index] + b) * rating[index] + c));
}

/** The samples at 16 kHz. */
function prepare(samples: Float32Array, sampleRateHz: number): Float32Array {
  if (samples.length === 0) throw new UnscorableSample('it holds no samples');
  checkFinite(samples);
  checkRate(sampleRateHz, DNSMOS_RATE_HZ);
  return resample(samples, sampleRateHz, DNSMOS_RATE_HZ);
}
