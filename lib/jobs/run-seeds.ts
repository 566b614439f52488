import type { RunEvent } from '../run/events.js';
import { parseParameters, type Parameters } from '../run/parameters.js';
import { runExperiment, type RunOptions } from './experiment.js';
import type { OwnParts } from './own-parts.js';

/** The run with this seed, which goes as far as its events are read. */
export interface SeedRun {
  seed: number;
  events: AsyncGenerator<RunEvent>;
}

/**
 * The same experiment with several seeds, one run after the other, each recorded in folders of its own. A run is over before the next one
 * begins, also where its events are not read. `overSeeds` summarizes what they came to.
 *
 *     for await (const { seed, events } of runSeeds(parameters, [1, 2, 3], { root: '.' }))
 *       for await (const event of events) if (event.type === 'started') console.log(seed, event.outputDirectory);
 *
 * @param parameters of all runs; their own seed is not used
 * @param seeds two or more, each once
 * @throws Error in one sentence for seeds that are none, before anything is written; and what {@link runExperiment} throws: runs that are
 *   complete stay, the one that fails or is interrupted can be resumed, and later ones have not begun
 */
export async function* runSeeds(
  parameters: Parameters,
  seeds: readonly number[],
  options: Omit<RunOptions, 'directories'> & OwnParts,
): AsyncGenerator<SeedRun> {
  if (seeds.length < 2 || new Set(seeds).size < seeds.length)
    throw new Error(
      `give two seeds or more, each once, as 1,2,3, and not ${seeds.join(',') || 'none'} (for one seed there is the parameter seed)`,
    );
  const runs = seeds.map((seed) => parseParameters({ ...parameters, seed }));
  for (const run of runs) {
    const events = runExperiment(run, options);
    try {
      yield { seed: run.seed, events };
      while (!(await events.next()).done);
    } finally {
      // Of whoever leaves before a run is over: its lock and its device.
      await events.return(undefined);
    }
  }
}
