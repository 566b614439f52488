import type { Device } from '../../device.js';

/** @throws Error in one sentence: what is missing, and the command that mends it */
export function openTensorFlow(): Promise<Device> {
  return Promise.reject(
    new Error('TensorFlow cannot be used on this machine: npm run tensorflow installs it'),
  );
}
