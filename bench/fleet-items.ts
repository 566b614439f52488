/** What the trainer and the workers of the simulated fleet agree on. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { opinionModels } from '../lib/scoring/opinion.js';
import { comparableVersions, type WorkerTraits } from '../lib/farm/terms.js';
import { findPackageRoot } from '../lib/package-root.js';
import { uniformStream } from '../lib/random.js';

/** What a process of simulated workers is started with, as JSON in its first argument. */
export interface FleetArguments {
  address: string;
  /** The number of its first worker, and how many it has. */
  first: number;
  workers: number;
  /** An item takes so long on average. */
  meanSeconds: number;
}

const SEED = 1;

/** Seconds of the item of a prompt, the same whoever does it: half to one and a half times the mean, as the lengths of samples differ. */
export const secondsOf = (position: number, meanSeconds: number): number =>
  meanSeconds * (0.5 + uniformStream(SEED, position)());

/** Of workers whose device is none, so that no worker that computes takes part. */
export const fleetTraits = async (): Promise<WorkerTraits> => ({
  versions: await comparableVersions(),
  computes: 'nothing, in a simulated fleet',
  rewards: [],
});

/** What a real worker answered to ten samples of a held-out prompt, in a run of `mos` with its guards. */
export const recordedResult = JSON.stringify(
  JSON.parse(readFileSync(join(findPackageRoot(), 'bench', 'fleet-result.json'), 'utf8')),
);

/** As long as the real ones. */
export const fleetScorers = Object.fromEntries(
  opinionModels.map((model) => [model, createHash('sha256').update(model).digest('hex')]),
);
