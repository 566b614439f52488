/** What run.json says of the time of a run that was interrupted. */
import { expect, it } from 'vitest';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { resumeExperiment } from '../../lib/jobs/resume.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { readRun } from '../../lib/run/run-files.js';
import { findTraining, readTraining, saveTraining } from '../../lib/run/training-checkpoints.js';
import { device } from '../support/device.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

/** @returns the run's folder */
async function interruptInTraining(root: string, model: string): Promise<string> {
  const parameters = parseParameters({
    ...{ model, iterations: 1, trainPrompts: 2, testPrompts: 1, sampleSize: 4, numEval: 2 },
    ...{ maxNewTokens: 30, audioPrompts: 0, epochs: 3, batchSize: 1 },
  });
  const controller = new AbortController();
  let directory = '';
  const reading = async () => {
    for await (const event of runExperiment(parameters, { root, device, signal: controller.signal })) {
      if (event.type === 'started') directory = event.modelDirectory;
      if (event.type === 'step') controller.abort(new Error('enough'));
    }
  };
  await expect(reading()).rejects.toThrow('enough');
  return directory;
}

it('is that of all its sessions', async () => {
  const [root, model] = [temporaryFolder(), temporaryFolder()];
  await writeTinyModel(model);
  const run = await interruptInTraining(root, model);
  const { directories, events } = await readRun(run);
  const { steps, seconds } = await findTraining(directories, 0);
  expect(seconds).toBeGreaterThan(0);
  expect(events.findLast(({ type }) => type === 'step')).toMatchObject({ step: steps });
  // As if the steps had taken an hour.
  await saveTraining(directories, 0, await readTraining(directories, 0, steps!), 3600);

  const told: RunEvent[] = [];
  for await (const event of resumeExperiment(run, { device })) told.push(event);
  const { timings } = (await readRun(run)).record;
  const trained = timings.flatMap(({ trainingSeconds }) => trainingSeconds ?? []);
  expect(trained).toHaveLength(1);
  expect(trained[0]).toBeGreaterThan(3600);
  const [whole, ...parts] = timings.toReversed();
  expect(whole.event).toBe('finished');
  expect(parts.map(({ event }) => event)).toContain('sampled');
  const total = parts.reduce((sum, each) => sum + each.seconds + (each.trainingSeconds ?? 0), 0);
  expect(whole.seconds).toBeGreaterThan(total);
  expect(told.at(-1)).toEqual({ type: 'finished', seconds: whole.seconds });
});
