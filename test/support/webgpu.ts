import { openWebGpu } from '../../lib/engine/devices/webgpu/webgpu.js';
import type { Device } from '../../lib/engine/index.js';

/**
 * A WebGPU device, or undefined where this machine has no adapter, which a message says. With SPEECH_DPO_REQUIRE_WEBGPU=1 its absence is an
 * error. Software will do: VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json, of Debian's Chromium.
 */
export async function webGpuOrSkip(): Promise<Device | undefined> {
  try {
    return await openWebGpu();
  } catch (error) {
    if (process.env.SPEECH_DPO_REQUIRE_WEBGPU === '1') throw error;
    console.warn(
      `Skipped: tests on WebGPU (${(error as Error).message}). SPEECH_DPO_REQUIRE_WEBGPU=1 demands them.`,
    );
    return undefined;
  }
}
