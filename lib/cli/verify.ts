import { Command } from 'commander';
import type { Device } from '../engine/index.js';
import { verify } from '../verify/verify.js';
import { deviceOptions, openChosen, sayWhere, type DeviceOptions } from './device-option.js';
import { endedBy } from './interrupt.js';

/** `speech-dpo verify`: compares with numbers of transformers and TRL. */
export function verifyCommand(signal: AbortSignal, onCheckFailed: () => void): Command {
  const command = new Command('verify')
    .description('compare this implementation with reference values of transformers and TRL')
    .argument('<folder>', 'reference values with their model')
    .action(async (folder: string, options: DeviceOptions) => {
      await using chosen = await openChosen(options, signal);
      sayWhere(chosen);
      if (!(await endedBy(signal, verifyDirectory(folder, chosen.device)))) onCheckFailed();
    });
  for (const option of deviceOptions()) command.addOption(option);
  return command;
}

/** Compares this implementation with a folder of reference values, prints every difference, and returns whether all pass. */
async function verifyDirectory(directory: string, device?: Device): Promise<boolean> {
  const { rows } = await verify(directory, { device });
  const width = Math.max(...rows.map(({ quantity }) => quantity.length));
  for (const { quantity, difference, tolerance, pass } of rows) {
    const figures = `${difference.toExponential(2)}  (at most ${Number(tolerance.toPrecision(2)).toExponential()})`;
    process.stdout.write(`${pass ? 'pass' : 'FAIL'}  ${quantity.padEnd(width)}  ${figures}\n`);
  }
  const failed = rows.filter(({ pass }) => !pass).length;
  process.stdout.write(
    failed === 0 ? 'all within tolerance\n' : `${failed} of ${rows.length} out of tolerance\n`,
  );
  return failed === 0;
}
