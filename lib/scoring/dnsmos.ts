import { join } from 'node:path';
import { allFinite, NOT_FINITE } from '../audio/finite.js';
import { resample } from '../audio/resample.js';
import { readGivenFile } from '../checkpoint/given-file.js';
import { CpuDevice, EngineStopped, type Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import { openParts, releaseAll, type Release } from '../release.js';
import { compileMel, framesOf, MEL_BANDS, MEL_FRAMES } from './dnsmos-mel.js';
import { checkRate, UnscorableSample } from './unscorable.js';
import { findWeights, nameWeights, type WeightsPlace } from './weights-path.js';
import { downloadFromWheel } from './wheel.js';

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
  /** Frees the network, and the devices that were opened for it. */
  dispose(): Promise<void>;
}

export const DNSMOS_RATE_HZ = 16_000;
const WINDOW_SECONDS = 9.01;
export const WINDOW_SAMPLES = 144_160;

/** From the P.835 network's outputs to ratings: coefficients of x^2, x and 1. */
const POLYNOMIALS = {
  sig: [-0.08397278, 1.22083953, 0.0052439],
  bak: [-0.13166888, 1.60915514, -0.39604546],
  ovrl: [-0.06766283, 1.11546468, 0.04602535],
} as const;

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
  const open = async (file: keyof typeof NETWORKS) => {
    const path = join(folder, file);
    try {
      const session = await device.load(await readGivenFile(path));
      opened.push(() => device.unload(session));
      return session;
    } catch (error) {
      if (error instanceof EngineStopped) throw error;
      throw new Error(`${nameOf(path)}: cannot load this DNSMOS network: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  const p835 = await open('sig_bak_ovr.onnx');
  const p808 = await open('model_v8.onnx');
  const mel = await compileMel(device);
  opened.push(() => mel.dispose());
  const run = async (session: number, data: Float32Array, shape: number[]) =>
    Object.values(await device.run(session, { input_1: { data, shape } }, {}))[0];

  return {
    async score(samples, sampleRateHz) {
      if (samples.length === 0) throw new UnscorableSample('it holds no samples');
      if (!allFinite(samples)) throw new UnscorableSample(NOT_FINITE);
      checkRate(sampleRateHz, DNSMOS_RATE_HZ);
      const sum: DnsmosScores = { ovrl: 0, sig: 0, bak: 0, p808: 0 };
      const windows = windowsOf(resample(samples, sampleRateHz, DNSMOS_RATE_HZ));
      for (const window of windows) {
        const [sig, bak, ovrl] = await run(p835, window, [1, WINDOW_SAMPLES]);
        sum.sig += polynomial(POLYNOMIALS.sig, sig);
        sum.bak += polynomial(POLYNOMIALS.bak, bak);
        sum.ovrl += polynomial(POLYNOMIALS.ovrl, ovrl);
        const { levels } = await mel({ frames: framesOf(window) });
        sum.p808 += (await run(p808, levels as Float32Array, [1, MEL_FRAMES, MEL_BANDS]))[0];
      }
      const mean = (total: number) => total / windows.length;
      return { ovrl: mean(sum.ovrl), sig: mean(sum.sig), bak: mean(sum.bak), p808: mean(sum.p808) };
    },
    dispose: () => releaseAll(opened),
  };
}

/** Windows of 9.01 s that start one second apart; a recording that is too short is doubled until one fits, as the authors' code does. */
function windowsOf(samples: Float32Array): Float32Array[] {
  let length = samples.length;
  while (length < WINDOW_SAMPLES) length *= 2;
  const count = Math.trunc(Math.floor(length / DNSMOS_RATE_HZ) - WINDOW_SECONDS) + 1;
  const starts = Array.from({ length: count }, (_, second) => second * DNSMOS_RATE_HZ);
  const repeated = repeatTo(length, samples);
  return starts
    .filter((start) => endOf(start) - start === WINDOW_SAMPLES)
    .map((start) => repeated.slice(start, start + WINDOW_SAMPLES));
}

/** The samples again and again, `length` in all. */
export function repeatTo(length: number, samples: Float32Array): Float32Array {
  const repeated = new Float32Array(length);
  for (let at = 0; at < length; at += samples.length) repeated.set(samples.subarray(0, length - at), at);
  return repeated;
}

/** As computed in the authors' code, where rounding makes some windows one sample short; it leaves those out. */
function endOf(start: number): number {
  return Math.trunc((start / DNSMOS_RATE_HZ + WINDOW_SECONDS) * DNSMOS_RATE_HZ);
}

function polynomial([a, b, c]: readonly [number, number, number], x: number): number {
  return (a * x + b) * x + c;
}
