import { Option } from 'commander';
import { chooseDevice, deviceChoices, type ChosenDevice, type DeviceChoice } from '../engine/index.js';
import { computingOn } from '../jobs/open.js';
import { describeRunDevice } from '../run/run-files.js';
import { endedBy } from './interrupt.js';
import { sayOnStderr } from './standard-streams.js';

/** What commander parses of {@link deviceOptions}. */
export interface DeviceOptions {
  device: DeviceChoice;
  tf32: boolean;
}

/** `--device` and `--tf32`, which every command has that computes. */
export function deviceOptions(): [device: Option, tf32: Option] {
  return [
    new Option(
      '--device <name>',
      'where to compute; auto: what SPEECH_DPO_DEVICE names, else a GPU by CUDA where one answers, else the CPU',
    )
      .choices(deviceChoices)
      .default('auto'),
    new Option('--tf32', 'with CUDA: faster matrix products, whose factors are rounded to TF32').default(
      false,
      'off',
    ),
  ];
}

/**
 * Opens the device that the options name, before anything else is done.
 *
 * @throws Error in one sentence when it cannot be had
 */
export function openChosen({ device, tf32 }: DeviceOptions, signal: AbortSignal): Promise<ChosenDevice> {
  return endedBy(signal, chooseDevice(device, { tf32 }));
}

/** For commands that write no log: says on standard error where they compute, unless that is the CPU. */
export function sayWhere(chosen: ChosenDevice): void {
  if (chosen.device.name !== 'cpu') sayOnStderr(`device: ${describeRunDevice(computingOn(chosen))}`);
}
