/** Checks this implementation against numbers that transformers and TRL computed. */
import { join } from 'node:path';
import { exists } from '../checkpoint/files.js';
import { CpuDevice, type Device } from '../engine/index.js';
import { bart } from '../policy/bart/bart.js';
import { loadPretrained } from '../policy/pretrained.js';
import { verifyCodec } from './codec.js';
import { verifyForward, verifyGreedy, verifyPartner } from './forward.js';
import { readCodecGolden, readDpoGolden, readForwardGolden, readNarGolden } from './golden.js';
import { readLossesGoldens, verifyLosses } from './losses.js';
import { readNoise } from './noise.js';
import type { VerifyRow } from './rows.js';
import { verifyFinalWeights, verifyGradients, verifySteps } from './training.js';

export type { VerifyRow } from './rows.js';

/**
 * Compares every quantity of a golden folder: tiny_bart/, forward_f32.json, dpo_f32.json, grads_step0_f32.safetensors, final_f32/,
 * nar.json, tiny_encodec/ and encodec.json, whatever weights and seeds they were made with, and losses_trl_VERSION.json; a folder of
 * the last alone will do. Where noise_f32_vs_f64.json says that the reference's float32 is farther from its float64 than a tolerance, that
 * distance is the tolerance.
 *
 * @param options.device what is compared; default: a CPU device of its own
 * @throws if a file is missing or not of that layout, or the folder holds nothing to compare with
 */
export async function verify(
  directory: string,
  options: { device?: Device } = {},
): Promise<{ rows: VerifyRow[] }> {
  const losses = await readLossesGoldens(directory);
  const isWhole = await exists(join(directory, 'tiny_bart'));
  if (!isWhole && losses.length === 0) {
    const problem = (await exists(directory))
      ? 'holds no reference values, neither of a model (tiny_bart/) nor of losses (losses_trl_VERSION.json)'
      : 'does not exist';
    throw new Error(`${directory} ${problem}: give a folder that scripts/reference/make.py made.`);
  }
  const golden = isWhole ? await readModelGoldens(directory) : undefined;
  const device = options.device ?? new CpuDevice();
  try {
    const rows = golden ? await verifyModel(golden, directory, device) : [];
    for (const each of losses) rows.push(...(await verifyLosses(each, device)));
    return { rows };
  } finally {
    if (!options.device) await device.close();
  }
}

async function readModelGoldens(directory: string) {
  return {
    model: await loadPretrained(join(directory, 'tiny_bart'), [bart]),
    forward: await readForwardGolden(directory),
    dpo: await readDpoGolden(directory),
    nar: await readNarGolden(directory),
    noise: await readNoise(directory),
  };
}

async function verifyModel(
  { model, forward, dpo, nar, noise }: Awaited<ReturnType<typeof readModelGoldens>>,
  directory: string,
  device: Device,
): Promise<VerifyRow[]> {
  return [
    ...(await verifyForward(model, forward, device, noise)),
    await verifyGreedy(model, forward, device),
    await verifyPartner(model, nar, device, noise),
    await verifyGradients(model, dpo, directory, device, noise),
    ...(await verifySteps(model, dpo, device, noise)),
    await verifyFinalWeights(model, directory, noise),
    ...(await verifyCodec(directory, await readCodecGolden(directory), device)),
  ];
}
