/** Preference losses of log-probabilities, with their gradients and metrics, against TRL. */
import { readdir } from 'node:fs/promises';
import { z } from 'zod';
import { metricsOfLoss } from '../dpo/metrics.js';
import { namedLoss } from '../dpo/losses/named.js';
import { pairLoss } from '../dpo/pair-program.js';
import type { PreferenceLoss } from '../dpo/preference-loss.js';
import { compile, type Device } from '../engine/index.js';
import { gradientOf, withGradients } from '../train/gradient-program.js';
import { readGolden } from './golden.js';
import { largestDifference, row, type VerifyRow } from './rows.js';

/** Of metrics, which are computed in float64. */
const METRICS_TOLERANCE = 1e-12;

const pairs = z.array(z.tuple([z.number(), z.number()]));
const computed = z.looseObject({
  value: z.number(),
  gradient: pairs,
  metrics: z.record(z.string(), z.number()).optional(),
});

/** What scripts/reference/losses.py writes. */
const lossesSchema = z.looseObject({
  trl: z.string(),
  policy: pairs,
  reference: pairs,
  labels: pairs,
  losses: z.array(
    z.looseObject({
      loss: z.string(),
      settings: z.strictObject({
        beta: z.number(),
        lossWeights: z.array(z.number()).optional(),
        labelSmoothing: z.number().optional(),
        simpoGamma: z.number().optional(),
        desirableWeight: z.number().optional(),
        undesirableWeight: z.number().optional(),
      }),
      float64: computed,
      noise: z.looseObject({ value: z.number(), gradient: z.number() }),
    }),
  ),
});

export type LossesGolden = z.infer<typeof lossesSchema>;
type LossGolden = LossesGolden['losses'][number];

/** The loss goldens of a folder, one of each version of TRL; none where it has none. */
export async function readLossesGoldens(directory: string): Promise<LossesGolden[]> {
  const entries = await readdir(directory).catch(() => []);
  const names = entries.filter((name) => /^losses_trl_.*\.json$/.test(name)).sort();
  return Promise.all(names.map((name) => readGolden(directory, name, lossesSchema)));
}

/** Numbers of pairs, pair after pair. */
interface Numbers {
  policy: Float32Array;
  reference: Float32Array;
  labels: Float32Array;
  rewards?: Float32Array;
}

/**
 * Of each loss its value and its gradient, in float32 and held to TRL's own float32 noise, and its metrics, in float64.
 */
export async function verifyLosses(golden: LossesGolden, device: Device): Promise<VerifyRow[]> {
  const rows: VerifyRow[] = [];
  for (const entry of golden.losses) {
    const loss = namedLoss({
      loss: entry.loss,
      lossWeights: entry.settings.lossWeights?.join() ?? null,
      beta: entry.settings.beta,
      labelSmoothing: entry.settings.labelSmoothing ?? 0,
      simpoGamma: entry.settings.simpoGamma ?? 0,
      desirableWeight: entry.settings.desirableWeight ?? 1,
      undesirableWeight: entry.settings.undesirableWeight ?? 1,
      rewardScale: 1,
      rpoAlpha: 0,
    });
    const numbers = loss.isUnpaired ? mismatchedNumbers(golden) : numbersOf(golden);
    rows.push(...(await verifyLoss(loss, numbers, entry, golden.trl, device)));
  }
  return rows;
}

async function verifyLoss(
  loss: PreferenceLoss,
  numbers: Numbers,
  { float64, noise }: LossGolden,
  version: string,
  device: Device,
): Promise<VerifyRow[]> {
  const { value, gradient } = await computeLoss(loss, numbers, device);
  const logged = metricsOfLoss(loss)([numbers]) as unknown as Record<string, number>;
  const quantity = (what: string) => `${what} of the loss ${loss.name}, TRL ${version}`;
  // Of a pair of samples the first column is the sample, chosen ones first.
  const half = float64.gradient.length;
  const expected = loss.isUnpaired
    ? [0, 1].flatMap((side) => float64.gradient.flatMap((pair) => [pair[side], 0]))
    : float64.gradient.flat();
  const differences = Object.entries(float64.metrics ?? {}).map(([name, mean]) =>
    Math.abs(logged[name] - mean),
  );
  return [
    row(quantity('value'), Math.abs(value - float64.value), noise.value),
    largestDifference(quantity(`gradient on ${half} pairs`), gradient, expected, noise.gradient),
    row(quantity('metrics'), Math.max(0, ...differences), METRICS_TOLERANCE),
  ];
}

/** A loss's value, and its gradient on the policy's log-probabilities. */
async function computeLoss(
  loss: PreferenceLoss,
  { policy, reference, labels, rewards }: Numbers,
  device: Device,
): Promise<{ value: number; gradient: Float32Array }> {
  const count = policy.length / 2;
  const shape = [count, 2];
  const arrays = {
    logps: policy,
    labelCounts: labels,
    pairWeights: new Float32Array(count).fill(1 / count),
    chosenLabels: Float32Array.of(labels.reduce((sum, each, i) => sum + (i % 2 === 0 ? each : 0), 0)),
    ...(loss.needsReference && { reference }),
    ...(rewards && { rewards }),
  };
  const shapes: Record<string, number[]> = { pairWeights: [count], chosenLabels: [] };
  const inputs = Object.fromEntries(
    Object.keys(arrays).map((name) => [name, { shape: shapes[name] ?? shape, dtype: 'float32' as const }]),
  );
  const program = withGradients((tensors) => ({ loss: pairLoss(loss, tensors) }), ['logps']);
  const run = await compile(program, inputs, { device });
  try {
    const outputs = await run(arrays);
    return { value: outputs.loss[0], gradient: outputs[gradientOf('logps')] as Float32Array };
  } finally {
    await run.dispose();
  }
}

function numbersOf({ policy, reference, labels }: LossesGolden): Numbers {
  const flat = (numbers: readonly (readonly number[])[]) => Float32Array.from(numbers.flat());
  return { policy: flat(policy), reference: flat(reference), labels: flat(labels) };
}

/** All chosen completions, then all rejected ones, as samples; the other completion of each is that of the sample before it. */
function mismatchedNumbers({ policy, reference, labels }: LossesGolden): Numbers {
  const mismatched = (numbers: readonly (readonly number[])[]) => {
    const samples = [0, 1].flatMap((side) => numbers.map((pair) => pair[side]));
    return Float32Array.from(samples.flatMap((sample, i) => [sample, samples.at(i - 1)!]));
  };
  const rewards = [1, 0].flatMap((desirable) => policy.flatMap(() => [desirable, 0]));
  return {
    policy: mismatched(policy),
    reference: mismatched(reference),
    labels: mismatched(labels),
    rewards: Float32Array.from(rewards),
  };
}
