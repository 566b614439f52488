/** Which device a word means. The GPU is a double, so that every machine gives the same answers. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { chooseDevice, CpuDevice, EngineError, type DeviceChoice } from '../../lib/engine/index.js';
import { openCuda } from '../../lib/engine/devices/cuda/cuda.js';
import { openTensorFlow } from '../../lib/engine/devices/tensorflow/tensorflow.js';
import { openWebGpu } from '../../lib/engine/devices/webgpu/webgpu.js';
import { doubleDevice } from '../support/double-device.js';

vi.mock('../../lib/engine/devices/cuda/cuda.js', () => ({ openCuda: vi.fn() }));
vi.mock('../../lib/engine/devices/webgpu/webgpu.js', () => ({ openWebGpu: vi.fn() }));
vi.mock('../../lib/engine/devices/tensorflow/tensorflow.js', () => ({ openTensorFlow: vi.fn() }));

const gpu = doubleDevice({ name: 'cuda', description: 'a double of a GPU' });
const noGpu = new Error('this machine has no driver: install one');

beforeEach(() => {
  vi.stubEnv('SPEECH_DPO_DEVICE', '');
  vi.mocked(openCuda).mockReset().mockResolvedValue(gpu);
  vi.mocked(openWebGpu).mockReset().mockRejectedValue(new Error('no adapter: npm run nothing'));
  vi.mocked(openTensorFlow).mockReset().mockRejectedValue(new Error('not installed: npm run tensorflow'));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

it('is the one that is asked for', async () => {
  const { device, reason, tf32 } = await chooseDevice('cpu');
  expect(device).toBeInstanceOf(CpuDevice);
  expect(device.description).toMatch(/^the CPU, \d+ threads?$/);
  expect({ reason, tf32 }).toEqual({ reason: 'asked for', tf32: false });
  expect(openCuda).not.toHaveBeenCalled();
  expect((await chooseDevice('cuda')).device).toBe(gpu);
  expect(openCuda).toHaveBeenLastCalledWith({ tf32: false });
  expect(await chooseDevice('cuda', { tf32: true })).toMatchObject({ reason: 'asked for', tf32: true });
  expect(openCuda).toHaveBeenLastCalledWith({ tf32: true });
});

it('is never another one than what is asked for', async () => {
  vi.mocked(openCuda).mockRejectedValue(noGpu);
  await expect(chooseDevice('cuda')).rejects.toThrow(noGpu.message);
  await expect(chooseDevice('webgpu')).rejects.toThrow('no adapter: npm run nothing');
  await expect(chooseDevice('tensorflow')).rejects.toThrow('not installed: npm run tensorflow');
  await expect(chooseDevice('gpu' as DeviceChoice)).rejects.toThrow(
    'the device is "gpu"; it can be auto, cpu, cuda, webgpu, tensorflow',
  );
});

it('left to the machine is a GPU by CUDA where one answers, else the CPU, and says why', async () => {
  expect(await chooseDevice('auto')).toMatchObject({
    device: gpu,
    reason: 'auto: the libraries of CUDA load, and a GPU answers',
  });
  vi.mocked(openCuda).mockRejectedValue(noGpu);
  const { device, reason } = await chooseDevice('auto');
  expect(device.name).toBe('cpu');
  expect(reason).toBe('auto, without CUDA: this machine has no driver: install one');
  // The machine gains nothing from these on its own.
  expect(openWebGpu).not.toHaveBeenCalled();
  expect(openTensorFlow).not.toHaveBeenCalled();
});

it('does not take a fault of ours for a machine without a GPU', async () => {
  vi.mocked(openCuda).mockRejectedValue(
    new EngineError({ name: 'TypeError', message: 'a fault', stack: '' }, new Error()),
  );
  await expect(chooseDevice('auto')).rejects.toThrow(EngineError);
});

it('comes from SPEECH_DPO_DEVICE where it is left to the machine', async () => {
  vi.stubEnv('SPEECH_DPO_DEVICE', 'cpu');
  const { device, reason } = await chooseDevice('auto');
  expect([device.name, reason]).toEqual(['cpu', 'SPEECH_DPO_DEVICE names it']);
  expect((await chooseDevice('cuda')).device).toBe(gpu);
  vi.stubEnv('SPEECH_DPO_DEVICE', 'tensorflow');
  await expect(chooseDevice('auto')).rejects.toThrow('not installed');
  vi.stubEnv('SPEECH_DPO_DEVICE', 'GPU');
  await expect(chooseDevice('auto')).rejects.toThrow(
    'the environment variable SPEECH_DPO_DEVICE is "GPU"; it can be auto, cpu, cuda, webgpu, tensorflow',
  );
});

it('refuses TF32 on what is no GPU by CUDA', async () => {
  for (const choice of ['cpu', 'webgpu', 'tensorflow'] as const)
    await expect(chooseDevice(choice, { tf32: true })).rejects.toThrow(
      `TF32 (--tf32) is for CUDA alone, not for the device ${choice}: choose cuda, or leave it out`,
    );
  expect((await chooseDevice('auto', { tf32: true })).tf32).toBe(true);
  vi.mocked(openCuda).mockRejectedValue(noGpu);
  await expect(chooseDevice('auto', { tf32: true })).rejects.toThrow(
    'TF32 is for CUDA alone: this machine has no driver',
  );
});
