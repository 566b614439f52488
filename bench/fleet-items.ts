/** What trainer and workers of the simulated fleet agree on. */
import { createHash } from 'node:crypto';
import type { WorkerTraits } from '../lib/farm/terms.js';

export interface FleetArguments {
  url: string;
  /** The number of this process's first worker, and how many it has. */
  first: number;
  workers: number;
  /** What an item takes. */
  meanSeconds: number;
}

export const FLEET_TRAITS: WorkerTraits = {
  versions: { 'speech-dpo': 'simulated' },
  computes: 'simulated',
  rewards: [],
};

/** Seconds that an item takes: half to one and a half times the mean, the same whoever does it. */
export function secondsOf(id: string, meanSeconds: number): number {
  return meanSeconds * (0.5 + createHash('sha256').update(id).digest().readUInt32LE() / 2 ** 32);
}
