import { openCuda } from '../../lib/engine/devices/cuda/cuda.js';
import { CpuDevice, type Device } from '../../lib/engine/index.js';
import { openHostCuda } from './host-cuda.js';

/**
 * What a test file computes on; it keeps no process alive. SPEECH_DPO_TEST_DEVICE=cuda runs the same tests on the GPU, and host-cuda on the
 * CUDA device's code above the process's memory. What a test says of the CPU device alone fails there.
 */
export const device: Device = await open(process.env.SPEECH_DPO_TEST_DEVICE ?? 'cpu');

async function open(name: string): Promise<Device> {
  if (name === 'cuda') return openCuda();
  return name === 'host-cuda' ? openHostCuda() : new CpuDevice();
}
