/**
 * speech-dpo's side of one point of `npm run bench -- --growth`, in a process of its own, so that its memory is that of one call alone.
 *
 *     node dist/bench/growth-point.js SETTING step STEPS
 *     node dist/bench/growth-point.js SETTING sampling COMPLETIONS
 */
import { CpuDevice } from '../lib/engine/index.js';
import { answerRequests } from './answer.js';
import { dpoSteps, sampling } from './ours.js';
import type { Setting } from './setting.js';

const [setting, call, count] = process.argv.slice(2);
const device = new CpuDevice();
await answerRequests(
  { step: dpoSteps, sampling }[call]!(JSON.parse(setting) as Setting, device, Number(count)),
);
await device.close();
