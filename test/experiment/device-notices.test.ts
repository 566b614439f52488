/** What a device goes on without is told by the run that computes on it. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { iterate } from '../../lib/experiment/iterate.js';
import { recordRun } from '../../lib/run/record.js';
import type { RunEvent } from '../../lib/run/events.js';
import { doubleDevice } from '../support/double-device.js';
import { createTinyRun } from './tiny-run.js';

it('once, as a notice and a warning of the log, after the evaluation or the training in which it happened', async () => {
  const tiny = await createTinyRun({ audioPrompts: 0, iterations: 1 });
  const { directories } = tiny;
  onTestFinished(() => rm(join(directories.modelDirectory, '..', '..'), { recursive: true }));
  const untold = [['it samples slowly'], ['it trains slowly'], []];
  const takeNotices = () => untold.shift() ?? [];
  const device = doubleDevice({ name: 'cuda', description: 'a GPU', takeNotices }, [], tiny.device);
  const told: string[] = [];
  const run = { ...tiny, device };
  for await (const event of recordRun(iterate(run), run))
    told.push(event.type === 'notice' ? event.message : event.type);
  const order: (RunEvent['type'] | string)[] = ['evaluated', 'it samples slowly', 'step', 'it trains slowly', 'saved']; // prettier-ignore
  expect(told.filter((each) => order.includes(each)).filter((each, i, all) => each !== all[i - 1])).toEqual([
    ...order,
    'evaluated',
  ]);
  const log = await readFile(join(directories.modelDirectory, 'log_training.log'), 'utf8');
  expect(log.match(/WARNING - it \w+ slowly/g)).toHaveLength(2);
});
