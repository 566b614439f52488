/** What implicit rewards are measured against: the log-probabilities of pairs under a reference. */
import { z } from 'zod';
import type { HostTensor } from '../engine/host-tensor.js';
import type { Device } from '../engine/index.js';
import { largestOf } from '../largest.js';
import type { Model } from '../policy/architecture.js';
import type { Arrays } from '../train/objective.js';
import type { PreferencePair } from './batch.js';
import { completionLogProbs } from './completion-log-probs.js';

type Batches = readonly (readonly PreferencePair[])[];

/** TR-DPO (Gorbatovski et al. 2024, arXiv:2404.09656; TRL's sync_ref_model): the reference follows the policy. */
export interface MovingReference {
  /** Optimizer steps after which the reference is updated, again and again; TRL's ref_model_sync_steps, 512 there. */
  everySteps: number;
  /**
   * Share of the policy in the reference's new weights, above 0; 1 puts the policy in its place. TRL's ref_model_mixup_alpha, 0.6 there. Of an
   * adapter, in A and B each.
   */
  mixup: number;
}

/**
 * `start`: the policy before the first step. `none`: no reference, its log-probabilities count as 0 (TRL's reference_free). A model: that one,
 * for example the policy that a run of several iterations began with.
 */
export type Reference = 'start' | 'none' | Model | MovingReference;

const isModel = (value: unknown): boolean => (value as Partial<Model> | null)?.weights instanceof Map;

/** A {@link Reference}; what is none would be taken for "start", or never move. */
export const referenceSchema = z.union(
  [
    z.literal(['start', 'none']),
    z.custom<Model>(isModel),
    z.object({ everySteps: z.number().int().min(1), mixup: z.number().gt(0).max(1) }),
  ],
  'expected "start", "none", a model, or { everySteps, mixup } of a whole number from 1 on and one above 0, at most 1',
);

/** Whether it is the policy's weights before the first step from which the reference goes on. */
export const isMoving = (reference: Reference | undefined): reference is MovingReference =>
  typeof reference === 'object' && 'everySteps' in reference;

/** The reference of one training. */
export interface ReferenceLogps {
  /** Of chosen and rejected. */
  of(pair: PreferencePair): ArrayLike<number>;
  /** Before the first step. */
  prepare(forward: (batch: readonly PreferencePair[]) => Promise<Arrays>): Promise<void>;
  /** After each step: `read` gives copies of the trained weights. */
  stepped(step: number, read: () => Promise<Map<string, Float32Array>>): Promise<void>;
  /** The trained weights of a reference that has moved, by name; to resume from. */
  weights(): ReadonlyMap<string, HostTensor>;
  restore(weights: ReadonlyMap<string, HostTensor>): Promise<void>;
}

/**
 * @param batches all pairs that are trained on or validated with, as they are computed together
 * @param where what a reference that is not the policy itself is computed on
 */
export function createReference(
  policy: Model,
  reference: Reference,
  batches: Batches,
  where: { device: Device; signal?: AbortSignal },
): ReferenceLogps {
  const logps = new Map<PreferencePair, ArrayLike<number>>();
  /** Those that are trained, once they have moved. */
  let weights: ReadonlyMap<string, HostTensor> = new Map();

  async function measure(model: Model): Promise<void> {
    const pairs = batches.flat();
    const items = pairs.flatMap(({ prompt, chosen, rejected }) =>
      [chosen, rejected].map((completion) => ({ prompt, completion })),
    );
    const batchSize = 2 * largestOf(batches.map(({ length }) => length));
    const found = await completionLogProbs(model, items, { ...where, batchSize });
    pairs.forEach((pair, i) => logps.set(pair, [found[2 * i].sum, found[2 * i + 1].sum]));
  }

  async function moveTo(moved: ReadonlyMap<string, HostTensor>): Promise<void> {
    weights = moved;
    await measure({ ...policy, weights: new Map([...policy.weights, ...moved]) as Model['weights'] });
  }

  return {
    of: (pair) => (reference === 'none' ? [0, 0] : (logps.get(pair) ?? [])),
    async prepare(forward) {
      if (reference === 'none') return;
      if (typeof reference === 'object' && !isMoving(reference)) {
        await measure(reference);
        return;
      }
      for (const batch of batches) {
        const given = (await forward(batch)).logps;
        batch.forEach((pair, i) => logps.set(pair, given.slice(2 * i, 2 * i + 2)));
      }
    },
    async stepped(step, read) {
      if (!isMoving(reference)) return;
      const { everySteps, mixup } = reference;
      if (step % everySteps !== 0) return;
      const trained = await read();
      const before = (name: string) => weights.get(name) ?? policy.weights.get(name)!;
      await moveTo(new Map([...trained].map(([name, data]) => [name, mix(before(name), data, mixup)])));
    },
    weights: () => weights,
    restore: moveTo,
  };
}

/** mixup * policy + (1 - mixup) * reference, in float32. */
function mix({ shape, data }: HostTensor, trained: Float32Array, mixup: number): HostTensor {
  const reference = data as Float32Array;
  const mixed = trained.map((value, i) => mixup * value + (1 - mixup) * reference[i]);
  return { shape, dtype: 'float32', data: mixed };
}
