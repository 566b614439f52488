import { CpuDevice } from '../../lib/engine/index.js';

/** What a test file computes on. Its worker starts with the first call and keeps no process alive. */
export const device = new CpuDevice();
