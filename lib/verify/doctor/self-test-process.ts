/** `node self-test-process.js DEVICE`, started by the doctor: a driver that takes its process down does not take the doctor's. */
import { chooseDevice, type DeviceChoice } from '../../engine/index.js';
import { firstError, isPlainError } from '../../plain-error.js';
import { measureDevice, type DeviceNumbers } from './self-test.js';

/** What the doctor is told. */
export type SelfTestMessage =
  | { description: string; seconds: number; numbers: DeviceNumbers; notices?: readonly string[] }
  /** The device cannot be had, and why. */
  | { missing: string }
  /** It can be had, and fails. */
  | { broken: string };

process.send?.(await test(process.argv[2] as DeviceChoice));

async function test(choice: DeviceChoice): Promise<SelfTestMessage> {
  let description: string | undefined;
  try {
    await using chosen = await chooseDevice(choice);
    ({ description } = chosen.device);
    const startMs = performance.now();
    const numbers = await measureDevice(chosen.device);
    const seconds = (performance.now() - startMs) / 1000;
    return { description, seconds, numbers, notices: chosen.device.takeNotices?.() };
  } catch (thrown) {
    const error = firstError(thrown);
    const { message } = error as Error;
    if (description === undefined && isPlainError(error)) return { missing: message };
    return { broken: description === undefined ? message : `${description}: ${message}` };
  }
}
