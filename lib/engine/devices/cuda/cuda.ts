import type { Device } from '../../device.js';

/** @throws Error in one sentence: what is missing, and the command that mends it */
export function openCuda(options: { tf32?: boolean } = {}): Promise<Device> {
  void options;
  return Promise.reject(
    new Error('CUDA cannot be used on this machine: npm run gpu finds or fetches its libraries'),
  );
}
