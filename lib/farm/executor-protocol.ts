/** What a worker and the process that computes for it say to each other. */
import { z } from 'zod';
import type { Offer } from './terms.js';

/** From the worker. An item's data and a run's offer are checked by whoever reads them. */
export type Order = { type: 'open'; run: string; offer: Offer } | { type: 'item'; id: string; data: unknown };

/**
 * Whose fault it is that an item cannot be done: its own (or its scorer's), which counts as a try; the worker's disk, or the worker's
 * otherwise, as where it cannot fetch the run's files, which do not.
 */
export const faults = ['item', 'disk', 'worker'] as const;
export type Fault = (typeof faults)[number];

/** From the process that computes. */
export const reportSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('ready'),
    /** "the CPU, 2 threads". */
    device: z.string(),
    computes: z.string(),
    versions: z.record(z.string(), z.string()),
    rewards: z.array(z.string()),
  }),
  /** In place of `ready`: what the process was started with cannot be had, for a reason that a person can mend. */
  z.strictObject({ type: z.literal('unusable'), reason: z.string() }),
  /** What was asked cannot be opened, for a reason that a person can mend; nothing is open. */
  z.strictObject({ type: z.literal('refused'), run: z.string(), fault: z.enum(faults), reason: z.string() }),
  z.strictObject({ type: z.literal('opened'), run: z.string() }),
  z.strictObject({ type: z.literal('result'), id: z.string(), seconds: z.number(), result: z.string() }),
  z.strictObject({ type: z.literal('failed'), id: z.string(), fault: z.enum(faults), reason: z.string() }),
  z.strictObject({ type: z.literal('notice'), message: z.string() }),
]);
export type Report = z.infer<typeof reportSchema>;
