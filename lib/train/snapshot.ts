import type { DeferredTensor, HostTensor } from '../engine/host-tensor.js';

/** What a training goes on from, to the bit. */
export interface TrainingSnapshot {
  /** Optimizer steps taken. */
  steps: number;
  /**
   * float32: `parameter/NAME` and AdamW's moments, `mean/NAME` and `square/NAME`; what the objective keeps, `objective/NAME`; and the weights
   * of the best validation, `best/NAME`, with their step, `best-step`. To be read before the next step.
   */
  tensors: ReadonlyMap<string, DeferredTensor>;
}

/** The trained weights as they were after the step whose validation was the best. */
export interface BestWeights {
  step: number;
  weights: ReadonlyMap<string, Float32Array>;
}

const OBJECTIVE = 'objective/';
const BEST = 'best/';
const BEST_STEP = 'best-step';

/** A snapshot's parameters by weight name; to be read before the next step. */
export function parametersOf(snapshot: TrainingSnapshot): Map<string, DeferredTensor> {
  return tensorsOf(snapshot, 'parameter/');
}

/** A snapshot with an objective's tensors. */
export function withObjective(
  { steps, tensors }: TrainingSnapshot,
  own: ReadonlyMap<string, HostTensor>,
): TrainingSnapshot {
  const added = [...own].map(([name, { shape, data }]) =>
    deferred(OBJECTIVE + name, shape, data as Float32Array),
  );
  return { steps, tensors: new Map([...tensors, ...added]) };
}

/** The tensors that `withObjective` added. */
export async function objectiveOf(snapshot: TrainingSnapshot): Promise<Map<string, HostTensor>> {
  const own = new Map<string, HostTensor>();
  for (const [name, { shape, read }] of tensorsOf(snapshot, OBJECTIVE))
    own.set(name, { shape, dtype: 'float32', data: (await read()) as Float32Array });
  return own;
}

/** A snapshot with the weights of the best validation. */
export function withBest(snapshot: TrainingSnapshot, best: BestWeights | undefined): TrainingSnapshot {
  if (!best) return snapshot;
  const shapes = parametersOf(snapshot);
  const weights = [...best.weights].map(([name, data]) =>
    deferred(BEST + name, shapes.get(name)!.shape, data),
  );
  const step = deferred(BEST_STEP, [], Float32Array.of(best.step));
  return { ...snapshot, tensors: new Map([...snapshot.tensors, ...weights, step]) };
}

/** What `withBest` added. */
export async function bestOf(snapshot: TrainingSnapshot): Promise<BestWeights | undefined> {
  const step = await snapshot.tensors.get(BEST_STEP)?.read();
  if (!step) return undefined;
  const weights = new Map<string, Float32Array>();
  for (const [name, { read }] of tensorsOf(snapshot, BEST)) weights.set(name, (await read()) as Float32Array);
  return { step: Number(step[0]), weights };
}

const deferred = (key: string, shape: number[], data: Float32Array): [string, DeferredTensor] => [
  key,
  { shape, dtype: 'float32', read: async () => data },
];

function tensorsOf({ tensors }: TrainingSnapshot, prefix: string): Map<string, DeferredTensor> {
  const found = [...tensors].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, tensor]) => [key.slice(prefix.length), tensor]));
}
