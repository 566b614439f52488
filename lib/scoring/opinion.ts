import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { hashFile } from '../checkpoint/atomic.js';
import type { Device } from '../engine/index.js';
import type { OnNotice } from '../notice.js';
import type { MonoRecording } from '../audio/wav.js';
import { resample } from '../audio/resample.js';
import {
  DNSMOS_FILES,
  DNSMOS_PLACE,
  DNSMOS_RATE_HZ,
  loadDnsmos,
  repeatTo,
  WINDOW_SAMPLES,
} from './dnsmos.js';
import { findNisqaWeights, loadNisqa } from './nisqa/nisqa.js';
import { checkRate } from './unscorable.js';
import { findWeights } from './weights-path.js';

export const opinionModels = ['nisqa', 'dnsmos'] as const;

/** Networks that predict a mean opinion score without a reference recording. */
export type OpinionModel = (typeof opinionModels)[number];

export const OPINION_LABELS: Record<OpinionModel, string> = {
  nisqa: 'NISQA MOS (1 to 5)',
  dnsmos: 'DNSMOS OVRL (1 to 5)',
};

/** One opinion score of a mono recording. */
export interface OpinionScorer {
  readonly model: OpinionModel;
  /** @throws UnscorableSample saying why the recording cannot be scored */
  score(recording: MonoRecording): Promise<number>;
  /** Frees the network, and the devices that were opened for it. */
  dispose(): Promise<void>;
}

/**
 * By what the weights of a network are known: the SHA-256 of NISQA's file, or over those of DNSMOS's files.
 *
 * @throws Error when they are not on this machine
 */
export async function hashOpinionWeights(model: OpinionModel): Promise<string> {
  if (model === 'nisqa') return hashFile(await findNisqaWeights());
  const folder = await findWeights(DNSMOS_PLACE);
  const hash = createHash('sha256');
  for (const name of DNSMOS_FILES) hash.update(await hashFile(join(folder, name)));
  return hash.digest('hex');
}

/** {@link hashOpinionWeights} of several networks, by network. */
export async function hashesOfOpinionWeights(
  models: readonly OpinionModel[],
): Promise<Partial<Record<OpinionModel, string>>> {
  return Object.fromEntries(
    await Promise.all(models.map(async (model) => [model, await hashOpinionWeights(model)] as const)),
  );
}

/**
 * Opens NISQA (its score `mos`) or DNSMOS (its score `ovrl`).
 *
 * @param options.device runs the network; default: one or more of the scorer's own, which `dispose` closes
 * @param options.onNotice is told of a download, with the licence
 * @throws Error when the weights are not at hand, saying how to provide them
 */
export async function openOpinionScorer(
  model: OpinionModel,
  options: { device?: Device; onNotice?: OnNotice } = {},
): Promise<OpinionScorer> {
  if (model === 'nisqa') {
    const nisqa = await loadNisqa(undefined, options);
    return {
      model,
      score: async ({ samples, sampleRateHz }) => (await nisqa.score(samples, sampleRateHz)).mos,
      dispose: () => nisqa.dispose(),
    };
  }
  const dnsmos = await loadDnsmos(undefined, options);
  return {
    model,
    score: async (recording) => (await dnsmos.score(fillWindow(recording), DNSMOS_RATE_HZ)).ovrl,
    dispose: () => dnsmos.dispose(),
  };
}

/**
 * At DNSMOS's rate, a shorter recording repeated to fill exactly one window. DNSMOS repeats it too, but may then rate up to seven windows
 * of the same sound, each as long to compute.
 */
function fillWindow({ samples, sampleRateHz }: MonoRecording): Float32Array {
  checkRate(sampleRateHz, DNSMOS_RATE_HZ);
  const resampled = resample(samples, sampleRateHz, DNSMOS_RATE_HZ);
  if (samples.length === 0 || resampled.length >= WINDOW_SAMPLES) return resampled;
  return repeatTo(WINDOW_SAMPLES, resampled);
}
