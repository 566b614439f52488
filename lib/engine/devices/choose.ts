/** Which device a person's word means. Devices other than the CPU are loaded when they are asked for. */
import { isPlainError } from '../../plain-error.js';
import type { Device } from '../device.js';
import { CpuDevice } from './cpu/cpu.js';

/** What `--device` takes. */
export const deviceChoices = ['auto', 'cpu', 'cuda', 'webgpu', 'tensorflow'] as const;
/** A word of {@link deviceChoices}. */
export type DeviceChoice = (typeof deviceChoices)[number];

/** A device, and why it is this one. Whoever chose it closes it. */
export interface ChosenDevice extends AsyncDisposable {
  device: Device;
  /** For the log and run.json: "asked for", "auto: ...". */
  reason: string;
  /** Whether matrix products may be rounded to TF32. */
  tf32: boolean;
}

const VARIABLE = 'SPEECH_DPO_DEVICE';

/**
 * Opens the device that a word means: `cpu`, `cuda`, `webgpu`, `tensorflow`; or `auto`: what the environment variable SPEECH_DPO_DEVICE
 * names, without it CUDA where its libraries load and a GPU answers, else the CPU.
 *
 *     const { device, reason } = await chooseDevice('auto');
 *     for await (const event of runExperiment(parameters, { root: '.', device, reason })) console.log(event);
 *     await device.close();
 *
 * @param options.tf32 lets CUDA round the factors of matrix products to TF32 (10 bits of mantissa); default false
 * @throws Error in one sentence when the device cannot be had, saying what is missing and the command that mends it: it never falls back
 *   to another device that was not asked for; also for `tf32` on any device but CUDA, and for a wrong SPEECH_DPO_DEVICE
 */
export async function chooseDevice(
  choice: DeviceChoice,
  { tf32 = false }: { tf32?: boolean } = {},
): Promise<ChosenDevice> {
  if (choice === 'auto') {
    const named = deviceFromEnvironment();
    if (named !== 'auto') return open(named, `${VARIABLE} names it`, tf32);
    return openBest(tf32);
  }
  return open(parseDeviceChoice(choice, 'the device') as NamedDevice, 'asked for', tf32);
}

/**
 * What SPEECH_DPO_DEVICE says; `auto` where it is not set.
 *
 * @throws Error in one sentence for anything that is no device
 */
export function deviceFromEnvironment(): DeviceChoice {
  return parseDeviceChoice(process.env[VARIABLE] || 'auto', `the environment variable ${VARIABLE}`);
}

/**
 * A word as a device.
 *
 * @param what names its place, for the error
 * @throws Error in one sentence for anything that is no device
 */
export function parseDeviceChoice(text: unknown, what: string): DeviceChoice {
  const choice = deviceChoices.find((each) => each === text);
  if (choice) return choice;
  throw new Error(`${what} is ${JSON.stringify(text)}; it can be ${deviceChoices.join(', ')}`);
}

type NamedDevice = Exclude<DeviceChoice, 'auto'>;

async function openBest(tf32: boolean): Promise<ChosenDevice> {
  try {
    return await open('cuda', 'auto: the libraries of CUDA load, and a GPU answers', tf32);
  } catch (error) {
    if (!isPlainError(error)) throw error;
    if (tf32) throw new Error(`TF32 is for CUDA alone: ${error.message}`, { cause: error });
    return open('cpu', `auto, without CUDA: ${error.message}`, false);
  }
}

async function open(name: NamedDevice, reason: string, tf32: boolean): Promise<ChosenDevice> {
  if (tf32 && name !== 'cuda')
    throw new Error(
      `TF32 (--tf32) is for CUDA alone, not for the device ${name}: choose cuda, or leave it out`,
    );
  const device = await OPENERS[name](tf32);
  return { device, reason, tf32, [Symbol.asyncDispose]: () => device.close() };
}

const OPENERS: Record<NamedDevice, (tf32: boolean) => Device | Promise<Device>> = {
  cpu: () => new CpuDevice(),
  cuda: async (tf32) => (await import('./cuda/cuda.js')).openCuda({ tf32 }),
  webgpu: async () => (await import('./webgpu/webgpu.js')).openWebGpu(),
  tensorflow: async () => (await import('./tensorflow/tensorflow.js')).openTensorFlow(),
};
