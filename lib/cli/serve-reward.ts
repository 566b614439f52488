import { Command } from 'commander';
import { serveReward } from '../jobs/serve-reward.js';
import { rewardNames } from '../reward/built-in.js';
import { loadRewards } from '../reward/load.js';
import { parseParameters } from '../run/parameters.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';
import { parseNumber } from './parameter-options.js';
import { sayOnStderr } from './standard-streams.js';

interface ServeOptions extends DeviceOptions {
  host: string;
  port: number;
}

/** `speech-dpo serve-reward`: answers other trainers with a reward of this program. */
export function serveRewardCommand(signal: AbortSignal): Command {
  const command = new Command('serve-reward')
    .description(
      "score sound for other trainers by verl-omni's audio-scorer protocol, version 1, until it is interrupted",
    )
    .argument(
      '<reward>',
      `nisqa, dnsmos, what of ${rewardNames.join(', ')} needs nothing but sound and text, or a file of your own`,
    )
    .option('--host <name>', 'address to listen at; 0.0.0.0: every one of this machine', '127.0.0.1')
    .option('--port <number>', 'port to listen at; 0: any that is free', parseNumber, 18080)
    .action(async (source: string, options: ServeOptions) => {
      const { host, port } = options;
      if (!Number.isInteger(port) || port < 0 || port > 65535)
        throw new Error(`--port is ${port}; it must be a whole number from 0 to 65535`);
      const { name, own: rewards } = await endedBy(signal, loadRewards(source));
      const parameters = parseParameters({ reward: name });
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      await serveReward(parameters, {
        rewards,
        host,
        port,
        signal,
        device: chosen.device,
        onNotice: sayOnStderr,
        onListening: (address, { label }) =>
          void process.stdout.write(`serves ${name}, ${label}, at ${address}; Ctrl-C ends it\n`),
      });
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}
