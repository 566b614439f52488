import { Command } from 'commander';
import { WORKERS_VARIABLE } from '../farm/option.js';
import { runWorker } from '../jobs/worker.js';
import { isNameEnough } from '../reward/built-in.js';
import { rewardSources } from '../reward/load.js';
import { deviceOptions, type DeviceOptions } from './device-option.js';
import { parseNumber } from './parameter-options.js';
import { REWARD_OPTION, REWARD_SOURCES } from './reward-option.js';
import { sayOnStderr } from './standard-streams.js';

interface WorkerCommandOptions extends DeviceOptions {
  concurrency: number;
  reward: string[];
  name?: string;
  lockSeconds: number;
}

/** `speech-dpo worker`: samples and scores for the runs of a queue. */
export function workerCommand(signal: AbortSignal): Command {
  const command = new Command('worker')
    .description('sample and score for runs that were started with --workers, until it is interrupted')
    .argument(
      '[address]',
      `of the queue: redis://HOST:PORT, rediss://... or postgres://...; default: ${WORKERS_VARIABLE}`,
    )
    .option('--concurrency <number>', 'items at once, each in a process of its own', parseNumber, 1)
    .option(
      REWARD_OPTION,
      `rewards of your own that runs may be scored by, built-in ones being known: ${REWARD_SOURCES}; may be given several times`,
      (source: string, others: string[]) => [
        ...others,
        ...rewardSources(source).filter((each) => !isNameEnough(each)),
      ],
      [],
    )
    .option('--name <name>', 'what the worker is called; default: host and process')
    .option(
      '--lock-seconds <number>',
      'a worker that is silent for so long loses its item to another',
      parseNumber,
      30,
    )
    .action(async (given: string | undefined, options: WorkerCommandOptions) => {
      const address = given ?? process.env[WORKERS_VARIABLE];
      if (!address) throw new Error(`no queue is named: give its address, or set ${WORKERS_VARIABLE}`);
      const { concurrency, lockSeconds } = options;
      if (!Number.isInteger(concurrency) || concurrency < 1)
        throw new Error(`--concurrency is ${concurrency}; it must be a whole number from 1 on`);
      if (!(lockSeconds >= 1))
        throw new Error(`--lock-seconds is ${lockSeconds}; it must be a number from 1 on`);
      const { reward: rewards, ...others } = options;
      await runWorker({ ...others, address, rewards, signal, onNotice: sayOnStderr });
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}
