import { spawnSync } from 'node:child_process';
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadPretrained } from '../lib/policy/pretrained.js';
import { bart } from '../lib/policy/bart/bart.js';
import { findPackageRoot } from '../lib/package-root.js';
import { verify } from '../lib/verify/verify.js';
import { verifyForward, verifyGreedy, verifyPartner } from '../lib/verify/forward.js';
import { readDpoGolden, readForwardGolden, readNarGolden } from '../lib/verify/golden.js';
import { readNoise } from '../lib/verify/noise.js';
import { equalRow, largestDifference, type VerifyRow } from '../lib/verify/rows.js';
import {
  computeFirstGradients,
  isUndetermined,
  verifyFinalWeights,
  verifySteps,
} from '../lib/verify/training.js';
import type { FloatTensor } from '../lib/engine/host-tensor.js';
import { writeSafetensors } from '../lib/checkpoint/safetensors.js';
import { sharedPath } from './support/shared.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { device } from './support/device.js';

const FIXTURE = fileURLToPath(new URL('fixtures/golden', import.meta.url));
const shared = sharedPath('golden/bart');

const failures = (rows: VerifyRow[]) => rows.filter(({ pass }) => !pass);

const checksums = z.record(z.string(), z.object({ l2: z.number(), first4: z.array(z.number()) }));
const checksumsSchema = z.object({
  dpo: z.object({ step0_gradients: z.object({ per_param: checksums }), final_checksums: checksums }),
});

async function readChecksums() {
  const content: unknown = JSON.parse(await readFile(join(FIXTURE, 'dpo_f32.json'), 'utf8'));
  return checksumsSchema.parse(content).dpo;
}

const l2 = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));

describe('on the fixture: transformers and TRL', () => {
  it('one forward pass, sampling rules, greedy decoding and the non-autoregressive decoder', async () => {
    const model = await loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);
    const forward = await readForwardGolden(FIXTURE);
    const rows = [
      ...(await verifyForward(model, forward, device)),
      await verifyGreedy(model, forward, device),
      await verifyPartner(model, await readNarGolden(FIXTURE), device),
    ];
    expect(rows).toHaveLength(9);
    expect(failures(rows)).toEqual([]);
  });

  it('a changed logit fails its row alone', async () => {
    const model = await loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);
    const forward = await readForwardGolden(FIXTURE);
    forward.logits[0][11][599] += 1e-4;
    expect(failures(await verifyForward(model, forward, device)).map(({ quantity }) => quantity)).toEqual([
      'logits',
    ]);
  });

  it('the gradient of the first step', async () => {
    const model = await loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);
    const gradients = await computeFirstGradients(model, await readDpoGolden(FIXTURE), device);
    const expected = Object.entries((await readChecksums()).step0_gradients.per_param).filter(
      ([name]) => !isUndetermined(name),
    );
    expect(expected).toHaveLength(gradients.size - 6);
    for (const [name, { l2: size, first4 }] of expected) {
      const gradient = gradients.get(name)!;
      expect(Math.abs(l2(gradient) / size - 1), name).toBeLessThan(1e-4);
      first4.forEach((value, i) => expect(Math.abs(gradient[i] - value), name).toBeLessThan(1e-5 * size));
    }
  });

  it('ten steps of training', async () => {
    const model = await loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);
    const rows = await verifySteps(model, await readDpoGolden(FIXTURE), device);
    expect(rows).toHaveLength(4);
    expect(failures(rows)).toEqual([]);
    const final = Object.entries((await readChecksums()).final_checksums).filter(
      ([name]) => !isUndetermined(name),
    );
    for (const [name, { l2: size, first4 }] of final) {
      const data = model.weights.get(name)!.data as Float32Array;
      expect(Math.abs(l2(data) / size - 1), name).toBeLessThan(5e-6);
      first4.forEach((value, i) => expect(Math.abs(data[i] - value), name).toBeLessThan(5e-6));
    }
  });

  it('says which file is missing', async () => {
    await expect(verify(FIXTURE)).rejects.toThrow('grads_step0_f32.safetensors');
    const nowhere = join(FIXTURE, 'nowhere');
    await expect(verify(nowhere)).rejects.toThrow(`${nowhere} does not exist: give a folder`);
  });
});

describe.skipIf(shared === undefined)('on the golden folder', () => {
  it('every quantity passes', async () => {
    const { rows } = await verify(shared!);
    expect(failures(rows)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(16);
  });

  it('a changed logit fails its row alone', async () => {
    const copy = temporaryFolder();
    for (const name of await readdir(shared!)) {
      if (name !== 'forward_f32.json') await symlink(join(shared!, name), join(copy, name));
    }
    const golden = JSON.parse(await readFile(join(shared!, 'forward_f32.json'), 'utf8')) as {
      forward: { logits: number[][][] };
    };
    golden.forward.logits[3][2][100] += 1e-3;
    await writeFile(join(copy, 'forward_f32.json'), JSON.stringify(golden));
    const { rows } = await verify(copy);
    expect(failures(rows).map(({ quantity }) => quantity)).toEqual(['logits']);
  });
});

const python = process.env.SPEECH_DPO_REFERENCE;
if (!python)
  console.warn(
    'Skipped: SPEECH_DPO_REFERENCE names no Python with TRL, and this test makes a folder with it.',
  );

it.skipIf(!python)('a folder that scripts/reference/make.py made passes', { timeout: 600_000 }, async () => {
  const folder = join(temporaryFolder(), 'reference');
  const program = join(findPackageRoot(), 'scripts', 'reference', 'make.py');
  const { status, stderr } = spawnSync(python!, ['-B', program, folder], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const { rows } = await verify(folder);
  expect(rows).toHaveLength(19);
  expect(failures(rows)).toEqual([]);
});

describe('a folder that records the noise of its own float32', () => {
  it('is held to the larger of noise and tolerance, and the row says so', async () => {
    const model = await loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);
    const forward = await readForwardGolden(FIXTURE);
    forward.logits[0][11][599] += 3e-5;
    const rowOf = async (noise: object) => {
      const folder = temporaryFolder();
      await writeFile(join(folder, 'noise_f32_vs_f64.json'), JSON.stringify(noise));
      const rows = await verifyForward(model, forward, device, await readNoise(folder));
      return rows.find(({ quantity }) => quantity.startsWith('logits'));
    };
    expect(await rowOf({ forward: { logits: 1.9e-5 } })).toMatchObject({ quantity: 'logits', tolerance: 2e-5, pass: false }); // prettier-ignore
    expect(await rowOf({ forward: { logits: 2.1e-5 } })).toMatchObject({ tolerance: 2.1e-5, pass: false });
    expect(await rowOf({ forward: { logits: 4e-5 } })).toMatchObject({
      quantity: "logits; tolerance: the reference's own float32 noise",
      tolerance: 4e-5,
      pass: true,
    });
    expect(await rowOf({ greedy_equal: true })).toMatchObject({ quantity: 'logits', pass: false });
    await expect(rowOf({ forward: { logits: 'much' } })).rejects.toThrow(
      'noise_f32_vs_f64.json: forward.logits: ',
    );
  });

  it('holds the worst of all tensors to the worst noise, of those that are compared', async () => {
    const weights = new Map<string, FloatTensor>(
      ['quiet', 'loud', 'k_proj.bias'].map((name, i) => [
        name,
        { shape: [1], dtype: 'float32', data: Float32Array.of(i) },
      ]),
    );
    const folder = temporaryFolder();
    await mkdir(join(folder, 'final_f32'));
    await writeSafetensors(join(folder, 'final_f32', 'model.safetensors'), weights);
    const trained = new Map(weights).set('loud', { shape: [1], dtype: 'float32', data: Float32Array.of(1 + 8e-6) }); // prettier-ignore
    const verifyWith = async (final_params_maxabs: object) => {
      await writeFile(join(folder, 'noise_f32_vs_f64.json'), JSON.stringify({ final_params_maxabs }));
      return verifyFinalWeights({ weights: trained }, folder, await readNoise(folder));
    };
    expect(await verifyWith({})).toMatchObject({ tolerance: 5e-6, pass: false });
    expect(await verifyWith({ 'k_proj.bias': [1.2e-5, 0, 0] })).toMatchObject({
      tolerance: 5e-6,
      pass: false,
    });
    const loud = await verifyWith({ quiet: [1.2e-5, 1e-6, 1e-7], 'k_proj.bias': [1, 0, 0] });
    expect(loud.quantity).toBe(
      "final weights, worst of 2 tensors; tolerance: the reference's own float32 noise",
    );
    expect(loud).toMatchObject({ tolerance: 1.2e-5, pass: true });
    expect(loud.difference).toBeCloseTo(8e-6, 6);
  });
});

describe('rows', () => {
  it('tell the largest difference at the open positions', () => {
    const row = largestDifference('x', [1, 2, 3, 4, 5, 6], [1, 2.25, 3, 4, 50, 60], 0.2, [1, 1, 0]);
    expect(row).toEqual({ quantity: 'x', difference: 0.25, tolerance: 0.2, pass: false });
    expect(largestDifference('x', [1, 2], [1, 2.25], 0.25).pass).toBe(true);
  });

  it('never pass on other lengths, NaN or inequality', () => {
    expect(largestDifference('x', [1], [1, 2], 1).pass).toBe(false);
    expect(largestDifference('x', [NaN, 1], [1, 1], 1).pass).toBe(false);
    expect(largestDifference('x', [1, 1], [1, NaN], 1).pass).toBe(false);
    expect(equalRow('x', false).pass).toBe(false);
    expect(equalRow('x', true).pass).toBe(true);
  });
});
