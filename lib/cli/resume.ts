import { Command } from 'commander';
import type { GivenWorkers } from '../farm/option.js';
import { checkRewardNames } from '../jobs/own-parts.js';
import { resumeExperiment } from '../jobs/resume.js';
import { partNames } from '../reward/combination.js';
import { loadRewards } from '../reward/load.js';
import { parseParameters } from '../run/parameters.js';
import { readRunRecord } from '../run/run-files.js';
import { deviceOptions, openChosen, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';
import { parseNumber } from './parameter-options.js';
import { optionsToResume, REWARD_OPTION, REWARD_SOURCES } from './reward-option.js';
import { run } from './run.js';
import { RUN_NAMES } from '../run/names.js';
import { sayOnStderr } from './standard-streams.js';
import { givenWorkers, workersOptions } from './workers-option.js';

type ResumeOptions = { reward?: string; iterations?: number } & Partial<DeviceOptions> & GivenWorkers;

/** `speech-dpo resume`: goes on with a run. */
export function resumeCommand(signal: AbortSignal): Command {
  const [device, tf32] = deviceOptions();
  const command = new Command('resume')
    .description('go on with a run that was interrupted, from what is complete on disk')
    .argument('<run>', RUN_NAMES)
    .option('--iterations <number>', 'how many the run is to have in all, also a finished one', parseNumber)
    .option(
      REWARD_OPTION,
      `what samples are scored by, needed where the run began with a reward of your own, and then the same one: ${REWARD_SOURCES}`,
    )
    .addOption(device.default(undefined, 'the one in run.json'))
    .addOption(tf32.default(undefined))
    .action(async (name: string, options: ResumeOptions) => {
      const { reward: source = '', iterations } = options;
      const record = await readRunRecord(name);
      const recorded = record.parameters;
      const parameters = iterations === undefined ? recorded : parseParameters({ ...recorded, iterations });
      const given = source === '' ? undefined : await endedBy(signal, loadRewards(source));
      if (given) checkRewardNames(record, partNames(given.name));
      const rewards = given?.own ?? [];
      const isNamed = options.device !== undefined || options.tf32 !== undefined;
      const named = { device: options.device ?? 'auto', tf32: options.tf32 ?? false };
      await using chosen = isNamed ? await openChosen(named, signal) : null;
      const workers = givenWorkers(options);
      const resumed = resumeExperiment(name, {
        ...chosen,
        ...workers,
        rewards,
        iterations,
        signal,
        onNotice: sayOnStderr,
      });
      const again = optionsToResume({ source, own: rewards }, workers);
      await run(resumed, { parameters, again, signal });
    });
  for (const option of workersOptions()) command.addOption(option);
  return command;
}
