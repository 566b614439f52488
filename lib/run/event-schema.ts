/** What a line of metrics.jsonl may be: a run's folder can come from anywhere. */
import { z } from 'zod';
import type { DpoMetrics } from '../dpo/metrics.js';
import { pairDrops, type PairDrop } from '../dpo/pair-rules.js';
import { GUARD_FIGURES, type GuardFigure } from '../reward/guard.js';
import { warnings, type RecordedEvent } from './events.js';
import { describeIssues } from '../zod-message.js';

const integer = z.number().int();
const count = integer.min(0);
const numbers = z.array(z.number());
const texts = z.array(z.string());
const meansOfPrompts = z.array(z.number().nullable());

const statistics = z.object({
  count,
  mean: z.number(),
  median: z.number(),
  std: z.number(),
  variance: z.number(),
  min: z.number(),
  max: z.number(),
  p25: z.number(),
  p75: z.number(),
});

const metrics = z.object({
  loss: z.number(),
  'rewards/chosen': z.number().optional(),
  'rewards/rejected': z.number().optional(),
  'rewards/margins': z.number().optional(),
  'rewards/accuracies': z.number().optional(),
  'logps/chosen': z.number().optional(),
  'logps/rejected': z.number().optional(),
  nll_loss: z.number().optional(),
  kl: z.number().optional(),
  grad_norm: z.number().optional(),
  learning_rate: z.number().optional(),
}) satisfies z.ZodType<DpoMetrics>;

const guard = z.object({
  figure: z.enum(Object.keys(GUARD_FIGURES) as [GuardFigure, ...GuardFigure[]]),
  mean: z.number(),
  promptMeans: meansOfPrompts,
  missing: count,
});

/** docs/metrics.md tells people what each field is. */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('notice'), message: z.string() }),
  z.object({
    type: z.literal('evaluated'),
    iteration: integer,
    split: z.enum(['train', 'test']),
    rewards: numbers.min(1),
    promptMeans: meansOfPrompts,
    bestOfN: numbers.optional(),
    lengths: numbers,
    statistics,
    droppedReasons: texts,
  }),
  z.object({ type: z.literal('guarded'), iteration: integer, guards: z.array(guard), warnings: texts }),
  z.object({ type: z.literal('sampled'), iteration: count, samples: count, tokens: count }),
  z.object({
    type: z.literal('scored'),
    iteration: count,
    scored: count,
    dropped: count,
    droppedReasons: texts,
    averageReward: z.number(),
  }),
  z.object({
    type: z.literal('paired'),
    iteration: count,
    pairs: count,
    skipped: count,
    skippedReasons: texts,
    chosenRewards: numbers,
    rejectedRewards: numbers,
    // Data names a file beside it, not one elsewhere.
    dataFile: z.string().regex(/^data_iter_\d+\.json$/),
    considered: count.optional(),
    dropped: z.partialRecord(z.enum(Object.keys(pairDrops) as [PairDrop, ...PairDrop[]]), count).optional(),
  }),
  z.object({
    type: z.literal('warned'),
    iteration: count,
    about: z.enum(warnings),
    message: z.string(),
  }),
  z.object({
    type: z.literal('stopped'),
    iteration: count,
    step: count.optional(),
    reason: z.string(),
  }),
  z.object({ type: z.literal('restored'), iteration: count, step: count, reason: z.string() }),
  z.object({
    type: z.literal('step'),
    iteration: count,
    epoch: count,
    step: count,
    steps: count,
    metrics,
  }),
  z.object({ type: z.literal('validated'), iteration: count, epoch: count, step: count, metrics }),
  z.object({ type: z.literal('saved'), iteration: count, directory: z.string() }),
  z.object({ type: z.literal('finished') }),
]) satisfies z.ZodType<RecordedEvent>;

/**
 * Checks a recorded event. It is given back as it is, so that writing it again writes the same.
 *
 * @throws Error saying what is wrong
 */
export function parseEvent(value: unknown): RecordedEvent {
  const result = eventSchema.safeParse(value);
  if (!result.success) throw new Error(describeIssues(result.error));
  return value as RecordedEvent;
}
