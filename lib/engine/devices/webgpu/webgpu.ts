import type { Device } from '../../device.js';

/** @throws Error in one sentence: what is missing, and the command that mends it */
export function openWebGpu(): Promise<Device> {
  return Promise.reject(new Error('WebGPU cannot be used on this machine'));
}
